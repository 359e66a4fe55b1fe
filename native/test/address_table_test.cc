#include "../address_table.h"

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

IpAddress Nth(uint32_t n, Family family) {
  IpAddress address = family == Family::kIpv4 ? Ip("10.0.0.0") : Ip("2001:db8::");
  const size_t last = address.size() - 1;
  for (size_t i = 0; i < 3; i++) address.bytes[last - i] = static_cast<uint8_t>(n >> (8 * i));
  return address;
}

}  // namespace

TEST("finds every address it holds and no other") {
  for (const uint32_t count : {0u, 1u, 4u, 5u, 1000u, 100'000u}) {
    std::vector<Announcement> announcements;
    for (uint32_t i = 0; i < count; i++)
      announcements.push_back({Nth(i * 2, i % 3 ? Family::kIpv4 : Family::kIpv6), 0});
    PackedFault fault;
    const auto table = AddressTable::Create(announcements, {InterfaceSet{}}, fault);
    uint32_t found = 0, strangers = 0;
    for (uint32_t i = 0; i < count; i++) {
      const Announcement* entry = table->Find(announcements[i].address);
      found += entry != nullptr && entry->address == announcements[i].address;
      strangers += table->Find(Nth(i * 2 + 1, Family::kIpv4)) != nullptr;
      strangers += table->Find(Nth(i * 2, i % 3 ? Family::kIpv6 : Family::kIpv4)) != nullptr;
    }
    EXPECT_EQ(found, count);
    EXPECT_EQ(strangers, 0u);
  }
}

TEST("the families do not mix") {
  IpAddress like_ipv4 = Ip("192.0.2.1");
  like_ipv4.family = Family::kIpv6;
  PackedFault fault;
  const auto table = AddressTable::Create({{Ip("192.0.2.1"), 0}}, {InterfaceSet{}}, fault);
  EXPECT(table->Find(Ip("192.0.2.1")) != nullptr);
  EXPECT(table->Find(like_ipv4) == nullptr);
}

TEST("an address that comes twice is a fault") {
  PackedFault fault;
  EXPECT(AddressTable::Create({{Ip("192.0.2.1"), 0}, {Ip("192.0.2.2"), 0}, {Ip("192.0.2.1"), 1}},
                              {InterfaceSet{}, InterfaceSet{"eth0"}}, fault) == nullptr);
  EXPECT_EQ(fault.kind, PackedFault::Kind::kDuplicate);
  EXPECT_EQ(fault.entry, 2u);
}

TEST("a set that does not exist is a fault") {
  PackedFault fault;
  EXPECT(AddressTable::Create({{Ip("192.0.2.1"), 1}}, {InterfaceSet{}}, fault) == nullptr);
  EXPECT_EQ(fault.kind, PackedFault::Kind::kSet);
}

TEST("knows which families and groups each set uses") {
  PackedFault fault;
  const auto table = AddressTable::Create(
      {{Ip("2001:db8::aa:bbcc"), 0}, {Ip("2001:db8:1::aa:bbcc"), 0}, {Ip("2001:db8::1"), 0}, {Ip("192.0.2.1"), 1}},
      {InterfaceSet{}, InterfaceSet{"eth0"}}, fault);
  EXPECT(!table->Has(0, Family::kIpv4));
  EXPECT(table->Has(0, Family::kIpv6));
  EXPECT(table->Has(1, Family::kIpv4));
  EXPECT(!table->Has(1, Family::kIpv6));
  const auto suffixes = table->SolicitedNodeSuffixes(0);
  EXPECT_EQ(suffixes.size(), 2u);
  EXPECT_EQ(suffixes[0], 1u);
  EXPECT_EQ(suffixes[1], 0xaabbccu);
}

TEST("held addresses are found and need their families and groups as others do") {
  PackedFault fault;
  const auto table =
      AddressTable::Create({{Ip("2001:db8::1"), 0, true}, {Ip("192.0.2.1"), 0, true}}, {InterfaceSet{}}, fault);
  EXPECT(table->Has(0, Family::kIpv4));
  EXPECT(table->Has(0, Family::kIpv6));
  EXPECT_EQ(table->SolicitedNodeSuffixes(0).size(), 1u);
  EXPECT(table->Find(Ip("192.0.2.1"))->held);
}

TEST("packed announcements are read as they were written") {
  std::vector<Announcement> out;
  const auto packed =
      Hex("c0000201000000000000000000000000 04 00 0000"
          "20010db8000000000000000000000005 06 01 0102");
  EXPECT_EQ(ParsePacked(packed, 0x300, out).kind, PackedFault::Kind::kNone);
  EXPECT_EQ(out.size(), 2u);
  EXPECT(out[0].address == Ip("192.0.2.1") && out[0].set == 0 && !out[0].held);
  EXPECT(out[1].address == Ip("2001:db8::5") && out[1].set == 0x201 && out[1].held);
}

TEST("every way packed announcements can be wrong has its fault") {
  using Kind = PackedFault::Kind;
  const struct {
    const char* hex;
    Kind kind;
  } rows[] = {
      {"c0", Kind::kLength},
      {"c0000201000000000000000000000000 05 00 0000", Kind::kFamily},
      {"c0000201000000000000000000000000 00 00 0000", Kind::kFamily},
      {"c0000201000000000000000000000001 04 00 0000", Kind::kPadding},
      {"c0000201000000000000000000000000 04 02 0000", Kind::kPadding},
      {"c0000201000000000000000000000000 04 81 0000", Kind::kPadding},
      {"c0000201000000000000000000000000 04 00 0200", Kind::kSet},
      {"00000000000000000000000000000000 04 00 0000", Kind::kAddress},
      {"00000001000000000000000000000000 04 00 0000", Kind::kAddress},
      {"7f000001000000000000000000000000 04 00 0000", Kind::kAddress},
      {"e0000001000000000000000000000000 04 00 0000", Kind::kAddress},
      {"ffffffff000000000000000000000000 04 00 0000", Kind::kAddress},
      {"00000000000000000000000000000000 06 00 0000", Kind::kAddress},
      {"00000000000000000000000000000001 06 00 0000", Kind::kAddress},
      {"ff020000000000000000000000000001 06 00 0000", Kind::kAddress},
  };
  for (const auto& row : rows) {
    std::vector<Announcement> out;
    EXPECT_EQ(ParsePacked(Hex(row.hex), 2, out).kind, row.kind, row.hex);
  }
  std::vector<Announcement> out;
  const std::vector<uint8_t> huge((kMaxAnnouncements + 1) * kPackedSize);
  EXPECT_EQ(ParsePacked(huge, 1, out).kind, Kind::kTooMany);
}

}  // namespace garpoon::test
