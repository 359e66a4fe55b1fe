#include "../address_stats.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

using Addresses = std::vector<IpAddress>;

IpAddress Nth(uint32_t n) {
  IpAddress address = Ip("10.0.0.0");
  for (size_t i = 0; i < 3; i++) address.bytes[3 - i] = static_cast<uint8_t>(n >> (8 * i));
  return address;
}

// What the compiler does with a table of these after one of `before`. The packet thread would answer by the result.
std::shared_ptr<const AddressTable> Take(AddressLedger& ledger, const Addresses& addresses, const Addresses& before) {
  std::vector<Announcement> announcements;
  for (const IpAddress& address : addresses) announcements.push_back({address, 0});
  PackedFault fault;
  std::shared_ptr<AddressTable> table = AddressTable::Create(announcements, {InterfaceSet{}}, fault);
  table->CountIn(ledger.StatsFor(table->announcements()));
  Addresses removed;
  for (const IpAddress& address : before) {
    if (table->Find(address) == nullptr) removed.push_back(address);
  }
  ledger.Publish(table, removed);
  return table;
}

void Count(const AddressTable& table, const IpAddress& address) {
  AddressStats& stats = table.StatsOf(*table.Find(address));
  stats.Add(AddressStats::Counter::kRequestsReceived);
}

// Requests received, by address.
std::map<std::string, uint64_t> Read(const AddressLedger& ledger) {
  const std::vector<uint8_t> packed = ledger.Pack();
  EXPECT_EQ(packed.size() % kPackedStatsSize, 0u);
  std::map<std::string, uint64_t> requests;
  for (size_t at = 0; at < packed.size(); at += kPackedStatsSize) {
    IpAddress address{static_cast<Family>(packed[at + 16]), {}};
    std::copy_n(packed.begin() + static_cast<ptrdiff_t>(at), 16, address.bytes.begin());
    std::memcpy(&requests[Format(address)], &packed[at + 24], 8);
  }
  EXPECT_EQ(requests.size(), packed.size() / kPackedStatsSize);
  return requests;
}

}  // namespace

TEST("an address is counted on through every table, and when it leaves and comes back") {
  AddressLedger ledger;
  EXPECT(Read(ledger).empty());
  const Addresses first = {Nth(1), Ip("2001:db8::1")};
  const Addresses second = {Nth(2), Nth(1)};
  auto table = Take(ledger, first, {});
  for (const IpAddress& address : first) Count(*table, address);
  table = Take(ledger, second, first);
  EXPECT(Read(ledger) == (std::map<std::string, uint64_t>{{"10.0.0.1", 1}, {"10.0.0.2", 0}, {"2001:db8::1", 1}}));
  Count(*table, Nth(1));
  table = Take(ledger, first, second);
  Count(*table, Ip("2001:db8::1"));
  EXPECT(Read(ledger) == (std::map<std::string, uint64_t>{{"10.0.0.1", 2}, {"10.0.0.2", 0}, {"2001:db8::1", 2}}));
}

TEST("each of the three counters is packed where it belongs") {
  AddressLedger ledger;
  const auto table = Take(ledger, {Ip("2001:db8::5")}, {});
  AddressStats& stats = table->StatsOf(*table->Find(Ip("2001:db8::5")));
  using Counter = AddressStats::Counter;
  stats.Add(Counter::kRequestsReceived);
  for (int i = 0; i < 2; i++) stats.Add(Counter::kResponsesSent);
  for (int i = 0; i < 3; i++) stats.Add(Counter::kGratuitousSent);
  EXPECT_EQ(ToHex(ledger.Pack()), ToHex("20010db8000000000000000000000005 06 00000000000000"
                                        "0100000000000000 0200000000000000 0300000000000000"));
}

TEST("of those that have left, the last are remembered, however often they come and go") {
  AddressLedger ledger;
  Addresses before;
  for (uint32_t round = 0; round < 20; round++) {
    Addresses now;
    for (uint32_t n = 0; n < 300; n++) now.push_back(Nth(round * 300 + n));
    (void)Take(ledger, now, before);
    EXPECT_EQ(Read(ledger).size(), 300 + std::min<size_t>(300 * round, AddressLedger::kMaxDeparted));
    before = now;
  }
  for (int round = 0; round < 1000; round++) {
    (void)Take(ledger, round % 2 == 0 ? Addresses{} : Addresses{Nth(1)}, round % 2 == 0 ? before : Addresses{});
    before = {Nth(1)};
  }
  EXPECT_EQ(Read(ledger).size(), AddressLedger::kMaxDeparted);
  EXPECT(Read(ledger).contains("10.0.0.1"));
}

TEST("is read while it is counted and while tables are swapped, and never goes back") {
  AddressLedger ledger;
  const Addresses odd = {Nth(1), Nth(3)};
  const Addresses all = {Nth(1), Nth(2), Nth(3)};
  std::atomic<std::shared_ptr<const AddressTable>*> latest = nullptr;
  std::vector<std::shared_ptr<const AddressTable>> tables(2000);
  tables[0] = Take(ledger, all, {});
  latest = &tables[0];
  std::atomic<bool> done = false;
  std::thread counting([&] {
    while (!done) Count(**latest.load(), Nth(1));
  });
  std::thread reading([&] {
    uint64_t before = 0;
    while (!done) {
      const uint64_t now = Read(ledger)["10.0.0.1"];
      EXPECT(now >= before);
      before = now;
    }
  });
  for (size_t i = 1; i < tables.size(); i++) {
    tables[i] = Take(ledger, i % 2 == 0 ? all : odd, i % 2 == 0 ? odd : all);
    latest = &tables[i];
  }
  done = true;
  counting.join();
  reading.join();
  EXPECT_EQ(Read(ledger).size(), 3u);
}

}  // namespace garpoon::test
