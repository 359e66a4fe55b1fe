#include "../inquiry.h"

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

constexpr Nanoseconds kStart = 1'000'000 * kMillisecond;
constexpr Nanoseconds kSecond = 1000 * kMillisecond;
constexpr uint32_t kPlenty = 1'000'000;

IpAddress Nth(uint32_t n) {
  IpAddress address = Ip("10.0.0.0");
  address.bytes[2] = static_cast<uint8_t>(n >> 8);
  address.bytes[3] = static_cast<uint8_t>(n);
  return address;
}

MacAddress NthMac(uint32_t n) {
  return {{2, 0, 0, static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)}};
}

}  // namespace

TEST("an answer counts for a question that was asked where it is heard, for a second") {
  const struct {
    const char* what;
    const char* address;
    int interface_index;
    Nanoseconds after;
    bool told;
  } rows[] = {
      {"at once", "192.0.2.1", 7, 0, true},
      {"IPv6", "2001:db8::1", 7, 0, true},
      {"at the last moment", "192.0.2.1", 7, kSecond - 1, true},
      {"too late", "192.0.2.1", 7, kSecond, false},
      {"on another interface", "192.0.2.1", 8, 0, false},
      {"about another address", "192.0.2.2", 7, 0, false},
  };
  for (const auto& row : rows) {
    Inquiry inquiry(kPlenty, kPlenty);
    for (const char* address : {"192.0.2.1", "2001:db8::1"}) {
      EXPECT(inquiry.Open(Ip(address), kStart));
      inquiry.AskedOn(Ip(address), 7);
    }
    EXPECT_EQ(inquiry.Hear(Ip(row.address), kHostMac, row.interface_index, kStart + row.after), row.told, row.what);
  }
}

TEST("each host is told once for each interface, until the question is asked anew") {
  Inquiry inquiry(kPlenty, kPlenty);
  const IpAddress address = Ip("192.0.2.1");
  for (int round = 0; round < 2; round++) {
    EXPECT(inquiry.Open(address, kStart));
    for (const int index : {7, 8}) inquiry.AskedOn(address, index);
    for (const int index : {7, 8}) {
      for (const MacAddress& mac : {kHostMac, kOwnMac}) {
        EXPECT(inquiry.Hear(address, mac, index, kStart));
        EXPECT(!inquiry.Hear(address, mac, index, kStart));
      }
    }
  }
}

TEST("of a question few answers are told, however many hosts are invented") {
  Inquiry inquiry(kPlenty, kPlenty);
  EXPECT(inquiry.Open(Nth(1), kStart));
  inquiry.AskedOn(Nth(1), 7);
  size_t told = 0;
  for (uint32_t n = 0; n < 10'000; n++) told += inquiry.Hear(Nth(1), NthMac(n), 7, kStart);
  EXPECT_EQ(told, Inquiry::kMaxAnswers);
}

TEST("so many questions are open at the same time, and an open one may be asked anew") {
  Inquiry inquiry(kPlenty, kPlenty);
  uint32_t open = 0;
  while (inquiry.Open(Nth(open), kStart)) open++;
  EXPECT_EQ(open, Inquiry::kMaxQuestions);
  EXPECT(inquiry.Open(Nth(0), kStart + kSecond / 2));
  EXPECT(!inquiry.Open(Nth(open), kStart + kSecond - 1));
  EXPECT(inquiry.Open(Nth(open), kStart + kSecond));
  inquiry.AskedOn(Nth(0), 7);
  EXPECT(inquiry.Hear(Nth(0), kHostMac, 7, kStart + kSecond));
}

TEST("so many questions go out at once, and then so many a second") {
  Inquiry inquiry(10, 4);
  const auto ask = [&](Nanoseconds now) {
    uint32_t count = 0;
    while (inquiry.Open(Nth(count), now)) count++;
    return count;
  };
  EXPECT_EQ(ask(kStart), 4u);
  EXPECT_EQ(ask(kStart + 99 * kMillisecond), 0u);
  EXPECT_EQ(ask(kStart + 100 * kMillisecond), 1u);
  EXPECT_EQ(ask(kStart + 100 * kSecond), 4u);
}

TEST("it knows what is asked where, in order, and when the first question is over") {
  Inquiry inquiry(kPlenty, kPlenty);
  EXPECT_EQ(inquiry.Deadline(), kNever);
  EXPECT(inquiry.Open(Nth(2), kStart));
  EXPECT(inquiry.Open(Nth(1), kStart + 1));
  EXPECT(inquiry.Open(Ip("2001:db8::1"), kStart + 2));
  for (const IpAddress& address : {Nth(2), Nth(1), Ip("2001:db8::1")}) inquiry.AskedOn(address, 7);
  inquiry.AskedOn(Nth(3), 7);  // of which nothing is known
  EXPECT(inquiry.AddressesOn(7, Protocol::kArp) == (std::vector{Nth(1), Nth(2)}));
  EXPECT(inquiry.AddressesOn(7, Protocol::kNdp) == std::vector{Ip("2001:db8::1")});
  EXPECT(inquiry.AddressesOn(8, Protocol::kArp).empty());
  EXPECT_EQ(inquiry.Deadline(), kStart + kSecond);
  inquiry.Expire(kStart + kSecond);
  EXPECT(inquiry.AddressesOn(7, Protocol::kArp) == std::vector{Nth(1)});
  EXPECT_EQ(inquiry.Deadline(), kStart + kSecond + 1);
  inquiry.Expire(kStart + 2 * kSecond);
  EXPECT_EQ(inquiry.Deadline(), kNever);
}

}  // namespace garpoon::test
