// The programs in an interpreter, and the same programs in the kernel.
#include "../socket_filter.h"

#include "bpf_interpreter.h"
#include "check.h"
#include "filter_frames.h"
#include "tap.h"

namespace garpoon::test {
namespace {

Protocol ProtocolOf(const Addresses& addresses) {
  return addresses.front().family == Family::kIpv4 ? Protocol::kArp : Protocol::kNdp;
}

size_t Run(const FilterProgram& filter, const Row& row) {
  return std::min<size_t>(row.frame.size(), RunBpf(filter.instructions, row.frame, row.packet_type));
}

// Holds the program against its definition: each address, and those beside it.
void ExpectFilter(const Addresses& addresses, FilterForm form, size_t limit, const char* label) {
  const Protocol protocol = ProtocolOf(addresses);
  const FilterProgram filter = BuildFilter(protocol, addresses, limit);
  EXPECT_EQ(filter.form, form, label);
  EXPECT_EQ(filter.instructions.size() <= limit, true, label);
  if (!EXPECT_EQ(IsValidBpf(filter.instructions), true, label)) return;
  const auto passes = [&](const Frame& frame) { return Run(filter, {"", frame, true}) > 0; };
  size_t lost = 0, strangers = 0;
  for (const IpAddress& address : addresses) {
    lost += passes(About(address)) ? 0 : 1;
    if (protocol == Protocol::kArp) lost += passes(Arp(address, kElsewhere)) ? 0 : 1;
    if (form == FilterForm::kRanges) continue;
    for (const IpAddress& other : NotQuite(address)) {
      if (Has(addresses, other)) continue;
      strangers += passes(About(other)) ? 1 : 0;
      if (protocol == Protocol::kArp) strangers += passes(Arp(other, kElsewhere)) ? 1 : 0;
    }
  }
  EXPECT_EQ(lost, 0u, label);
  EXPECT_EQ(strangers, 0u, label);
}

// Members and those beside them, the first a member.
std::vector<Row> Sample(const Addresses& addresses) {
  std::vector<Row> rows;
  for (size_t i = 0; i < addresses.size(); i += 1 + addresses.size() / 200) {
    rows.push_back({"a member", About(addresses[i]), true});
    const IpAddress other = Neighbor(addresses[i], 1);
    rows.push_back({"beside a member", About(other), Has(addresses, other)});
  }
  return rows;
}

}  // namespace

TEST("passes what is about an address of the set, whole enough to be answered") {
  const FilterProgram arp = BuildFilter(Protocol::kArp, kArpAddresses);
  for (const Row& row : ArpRows()) {
    EXPECT_EQ(Run(arp, row), row.passes ? std::min<size_t>(row.frame.size(), 60) : 0, row.what);
  }
  const FilterProgram ndp = BuildFilter(Protocol::kNdp, kNdpAddresses);
  for (const Row& row : NdpRows()) EXPECT_EQ(Run(ndp, row), row.passes ? row.frame.size() : 0, row.what);
}

TEST("passes exactly the set for as long as it can, and never less") {
  constexpr auto kExact = FilterForm::kExact;
  constexpr auto kRanges = FilterForm::kRanges;
  const struct {
    const char* label;
    Addresses addresses;
    FilterForm form;
    size_t limit = BPF_MAXINSNS;
  } rows[] = {
      {"one", Scattered(1), kExact},
      {"a leaf", Scattered(8), kExact},
      {"a leaf and one", Scattered(9), kExact},
      {"815", Scattered(815), kExact},
      {"1000", Scattered(1000), kExact},
      {"1100", Scattered(1100), kExact},
      {"1750", Scattered(1750), kExact},
      {"1850", Scattered(1850), kRanges},
      {"4000", Scattered(4000), kRanges},
      {"100,000", Scattered(100'000), kRanges},
      {"1000 under half the limit", Scattered(1000), kRanges, BPF_MAXINSNS / 2},
      {"the least limit", Scattered(1000), kRanges, kMinFilterLimit},
      {"a pool", Pool(100'000), kExact},
      {"a pool under the least limit", Pool(100'000), kExact, kMinFilterLimit},
      {"the lowest", Ips({"0.0.0.0"}), kExact},
      {"the lowest two", Ips({"0.0.0.0", "0.0.0.1"}), kExact},
      {"the highest", Ips({"255.255.255.255"}), kExact},
      {"the highest two", Ips({"255.255.255.254", "255.255.255.255"}), kExact},
      {"both ends", Ips({"0.0.0.0", "255.255.255.255"}), kExact},
      {"either side of the sign bit", Ips({"127.255.255.255", "128.0.0.0"}), kExact},
      {"IPv6: one", ScatteredHosts(1), kExact},
      {"IPv6: 3400 in a network", ScatteredHosts(3400), kExact},
      {"IPv6: 100,000 in a network", ScatteredHosts(100'000), kRanges},
      {"IPv6: 600 networks", ScatteredNetworks(600), kExact},
      {"IPv6: 100,000 networks", ScatteredNetworks(100'000), kRanges},
      {"IPv6: a pool in each of 300 networks", Pools(300, 300), kExact},
      {"IPv6: a pool in each of 3000 networks", Pools(3000, 30), kRanges},
      {"IPv6: the least limit", ScatteredNetworks(1000), kRanges, kMinFilterLimit},
      {"IPv6: the ends", Ips({"::", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}), kExact},
      {"IPv6: across a network's end", Ips({"2001:db8::ffff:ffff", "2001:db8::1:0:0"}), kExact},
  };
  for (const auto& row : rows) ExpectFilter(row.addresses, row.form, row.limit, row.label);
  // Somewhere in between, a jump reaches just so far and no farther.
  for (size_t count = 200; count < 300; count++) {
    ExpectFilter(ScatteredHosts(count), kExact, BPF_MAXINSNS, std::to_string(count).c_str());
  }
}

TEST("passes nothing for the empty set") {
  for (const Protocol protocol : {Protocol::kArp, Protocol::kNdp}) {
    const FilterProgram filter = BuildFilter(protocol, {});
    EXPECT_EQ(filter.form, FilterForm::kExact);
    EXPECT(IsValidBpf(filter.instructions));
    for (const auto& rows : {ArpRows(), NdpRows()}) {
      for (const Row& row : rows) EXPECT_EQ(Run(filter, row), 0u, row.what);
    }
  }
}

TEST("ranges use the room there is, and leave the widest gaps open") {
  for (const Addresses& addresses : {Scattered(4000), ScatteredHosts(100'000)}) {
    const size_t size = BuildFilter(ProtocolOf(addresses), addresses).instructions.size();
    EXPECT(size > BPF_MAXINSNS - 32 && size <= BPF_MAXINSNS);
  }
  Addresses far;
  for (uint32_t i = 0; i < 1000; i++) far.push_back(FromWords({(i < 500 ? 0xc6120000 : 0xc6130000) + 2 * i}));
  const FilterProgram arp = BuildFilter(Protocol::kArp, far, kMinFilterLimit);
  EXPECT_EQ(Run(arp, {"", About(Ip("198.18.128.1")), false}), 0u);
  far.clear();
  for (uint32_t i = 0; i < 1000; i++) far.push_back(FromWords({kDocumentation, i, 0, 2 * i}));
  const FilterProgram ndp = BuildFilter(Protocol::kNdp, far, kMinFilterLimit);
  EXPECT(Run(ndp, {"", About(Ip("2001:db8:0:1::4")), false}) > 0);
  for (const char* outside : {"2001:db9::2", "2001:db8:1::2", "2001:db8::1:0:2", "2001:db8::1:2"}) {
    EXPECT_EQ(Run(ndp, {"", About(Ip(outside)), false}), 0u, outside);
  }
}

TEST("an open filter passes the right kind of frame about any address") {
  const FilterProgram arp = BuildOpenFilter(Protocol::kArp);
  const FilterProgram ndp = BuildOpenFilter(Protocol::kNdp);
  EXPECT(IsValidBpf(arp.instructions) && IsValidBpf(ndp.instructions));
  EXPECT_EQ(Run(arp, {"", About(kElsewhere), true}), 42u);
  EXPECT_EQ(Run(ndp, {"", About(Ip("2001:db8::77")), true}), 86u);
  for (const Row& row : ArpRows()) EXPECT_EQ(Run(ndp, row), 0u, row.what);
  for (const Row& row : NdpRows()) EXPECT_EQ(Run(arp, row), 0u, row.what);
  for (const uint8_t type : std::array<uint8_t, 2>{PACKET_OTHERHOST, PACKET_OUTGOING}) {
    EXPECT_EQ(Run(arp, {"", About(kElsewhere), false, type}), 0u);
    EXPECT_EQ(Run(ndp, {"", About(Ip("2001:db8::77")), false, type}), 0u);
  }
}

NETWORK_TEST("the kernel runs the programs as the interpreter does") {
  const Cable cable;
  const Tap tap(cable);
  const struct {
    const char* label;
    Addresses addresses;
    std::vector<Row> rows;
  } sets[] = {
      {"ARP", kArpAddresses, ArpRows()},
      {"NDP", kNdpAddresses, NdpRows()},
      {"1000 IPv4", Scattered(1000), Sample(Scattered(1000))},
      {"100,000 IPv4", Scattered(100'000), Sample(Scattered(100'000))},
      {"3000 IPv6", ScatteredHosts(3000), Sample(ScatteredHosts(3000))},
      {"500 networks", ScatteredNetworks(500), Sample(ScatteredNetworks(500))},
  };
  for (const auto& [label, addresses, rows] : sets) {
    // An older kernel has less room for a filter.
    FilterProgram filter;
    int error = ENOMEM;
    for (size_t limit = BPF_MAXINSNS; error == ENOMEM && limit >= kMinFilterLimit; limit /= 2) {
      filter = BuildFilter(ProtocolOf(addresses), addresses, limit);
      error = tap.Attach(filter.instructions);
    }
    if (!EXPECT_EQ(error, 0, label)) continue;
    const std::vector<size_t> lengths = tap.Receive(rows);
    for (size_t i = 0; i < rows.size(); i++) EXPECT_EQ(lengths[i], Run(filter, rows[i]), rows[i].what);
  }
}

}  // namespace garpoon::test
