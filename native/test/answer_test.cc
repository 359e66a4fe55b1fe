#include "../answer.h"

#include <linux/if_packet.h>

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

std::unique_ptr<const AddressTable> Table() {
  PackedFault fault;
  return AddressTable::Create({{Ip("198.18.0.5"), 0}, {Ip("2001:db8::5"), 0}, {Ip("198.18.0.6"), 1}},
                              {InterfaceSet{}, InterfaceSet{"eth9"}}, fault);
}

DropReason Answer(const std::vector<uint8_t>& frame, uint8_t packet_type = PACKET_BROADCAST, bool truncated = false) {
  static const auto table = Table();
  const std::vector<uint8_t> announces = {1, 0};
  const View view{*table, announces, kOwnMac};
  ArpFrame arp;
  NdpFrame ndp;
  const bool ipv6 = frame.size() > 13 && frame[12] == 0x86;
  return ipv6 ? AnswerNdp({frame, packet_type, truncated}, view, ndp)
              : AnswerArp({frame, packet_type, truncated}, view, arp);
}

std::vector<uint8_t> Changed(std::string_view hex, size_t offset, const char* change_hex) {
  auto frame = Hex(hex);
  const auto change = Hex(change_hex);
  std::copy(change.begin(), change.end(), frame.begin() + static_cast<ptrdiff_t>(offset));
  return frame;
}

}  // namespace

TEST("answers for what is announced here, and for nothing else") {
  EXPECT_EQ(Answer(Hex(kArpRequestHex)), DropReason::kNone);
  EXPECT_EQ(Answer(Hex(kSolicitationHex)), DropReason::kNone);
  EXPECT_EQ(Answer(Changed(kArpRequestHex, 38, "c6120006")), DropReason::kWrongInterface);
  EXPECT_EQ(Answer(Changed(kArpRequestHex, 38, "c6120007")), DropReason::kNotAnnounced);
}

TEST("another host's claim is not answered") {
  EXPECT_EQ(Answer(Changed(kArpRequestHex, 28, "c6120005")), DropReason::kForeignClaim);
  // Another host's claim to an address that is not ours is no claim on us.
  auto other = Changed(kArpRequestHex, 28, "c6120007");
  std::copy_n(other.begin() + 28, 4, other.begin() + 38);
  EXPECT_EQ(Answer(other), DropReason::kNotAnnounced);
}

TEST("a frame for another host, of a foreign VLAN or cut off is not answered") {
  const struct {
    uint8_t packet_type;
    bool truncated;
    DropReason reason;
  } rows[] = {
      {PACKET_HOST, false, DropReason::kNone},           {PACKET_MULTICAST, false, DropReason::kNone},
      {PACKET_OTHERHOST, false, DropReason::kOtherHost}, {PACKET_OUTGOING, false, DropReason::kOtherHost},
      {PACKET_BROADCAST, true, DropReason::kTooLong},
  };
  for (const auto& row : rows) EXPECT_EQ(Answer(Hex(kArpRequestHex), row.packet_type, row.truncated), row.reason);
}

}  // namespace garpoon::test
