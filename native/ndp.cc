#include "ndp.h"

#include <linux/if_ether.h>

#include <algorithm>

#include "wire.h"

namespace garpoon {
namespace {

constexpr uint8_t kIpv6Version = 6;
constexpr uint8_t kIcmpv6 = 58;
constexpr uint8_t kHopLimit = 255;
constexpr size_t kMessageLength = 24;  // of both types, without options
constexpr uint8_t kOptionSourceLinkLayer = 1;
constexpr uint8_t kOptionTargetLinkLayer = 2;
constexpr size_t kOptionUnit = 8;
constexpr size_t kLinkLayerOptionLength = 8;  // RFC 2464 section 6
constexpr size_t kIcmpOffset = 14 + 40;
constexpr size_t kChecksumOffset = kIcmpOffset + 2;

// Flags of a neighbour advertisement. R (0x80000000) is never set: nothing behind a service address routes.
constexpr uint32_t kSolicited = 0x40000000;
constexpr uint32_t kOverride = 0x20000000;

// The Internet checksum (RFC 1071) of an ICMPv6 message with its pseudo-header (RFC 8200 section 8.1). Over a message
// with the right checksum in it the result is 0.
uint16_t Checksum(const IpAddress& source, const IpAddress& destination, std::span<const uint8_t> message) {
  uint64_t sum = message.size() + kIcmpv6;
  const auto add = [&sum](std::span<const uint8_t> bytes) {
    for (size_t i = 0; i + 1 < bytes.size(); i += 2) sum += static_cast<uint32_t>(bytes[i]) << 8 | bytes[i + 1];
    if (bytes.size() % 2 == 1) sum += static_cast<uint32_t>(bytes.back()) << 8;
  };
  add(source.bytes);
  add(destination.bytes);
  add(message);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

bool ChecksumHolds(const IpAddress& source, const IpAddress& destination, std::span<const uint8_t> message) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  // A fuzzer cannot guess checksums; it is after what lies behind them.
  (void)source, (void)destination, (void)message;
  return true;
#else
  return Checksum(source, destination, message) == 0;
#endif
}

// ff02::1:ff00:0/104
constexpr std::array<uint8_t, 13> kSolicitedNodePrefix = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

bool IsSolicitedNodeGroup(const IpAddress& address) {
  return std::equal(kSolicitedNodePrefix.begin(), kSolicitedNodePrefix.end(), address.bytes.begin());
}

IpAddress SolicitedNodeGroup(IpAddress address) {
  std::ranges::copy(kSolicitedNodePrefix, address.bytes.begin());
  return address;
}

// RFC 2464 section 7
MacAddress GroupMac(const IpAddress& group) {
  const auto& bytes = group.bytes;
  return {{0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]}};
}

// RFC 4861 section 7.1.1 and 7.1.2: every option has a length, and a host without an address must not state a
// link-layer one. Options of unknown type, the nonce of RFC 7527 among them, are passed over. Of two that state the
// target's address the first counts.
bool ReadOptions(std::span<const uint8_t> options, NdpMessage& out) {
  bool stated = false;
  WireReader in(options);
  while (in.remaining() > 0) {
    const uint8_t type = in.U8();
    const size_t length = in.U8() * kOptionUnit;
    if (length == 0) return false;
    const std::span<const uint8_t> value = in.Take(length - 2);
    if (!in.ok()) return false;
    if (out.type == NdpType::kSolicitation) {
      if (type == kOptionSourceLinkLayer && out.source.IsUnspecified()) return false;
    } else if (type == kOptionTargetLinkLayer && !stated) {
      if (length != kLinkLayerOptionLength) return false;
      out.sender_mac = WireReader(value).Mac();
      stated = true;
    }
  }
  return true;
}

struct End {
  MacAddress mac;
  IpAddress ip;
};

// `options` fill what the frame has left after the target.
template <typename Frame>
Frame Build(const End& from, const End& to, NdpType type, uint32_t flags, const IpAddress& target,
            std::span<const uint8_t, sizeof(Frame) - kIcmpOffset - kMessageLength> options) {
  Frame frame{};
  WireWriter(frame)
      .Mac(to.mac)
      .Mac(from.mac)
      .U16(ETH_P_IPV6)
      .U32(uint32_t{kIpv6Version} << 28)
      .U16(sizeof(Frame) - kIcmpOffset)
      .U8(kIcmpv6)
      .U8(kHopLimit)
      .Ip(from.ip)
      .Ip(to.ip)
      .U8(static_cast<uint8_t>(type))
      .U8(0)
      .U16(0)
      .U32(flags)
      .Ip(target)
      .Bytes(options);
  const uint16_t checksum = Checksum(from.ip, to.ip, std::span(frame).subspan(kIcmpOffset));
  WireWriter(std::span(frame).subspan(kChecksumOffset)).U16(checksum);
  return frame;
}

NdpFrame BuildAdvertisement(const End& to, uint32_t flags, const IpAddress& target, const MacAddress& own) {
  std::array<uint8_t, kLinkLayerOptionLength> option{};
  WireWriter(option).U8(kOptionTargetLinkLayer).U8(1).Mac(own);
  return Build<NdpFrame>({own, target}, to, NdpType::kAdvertisement, flags, target, option);
}

}  // namespace

DropReason ParseNdp(std::span<const uint8_t> frame, NdpMessage& out) {
  WireReader in(frame);
  const MacAddress destination_mac = in.Mac();
  const MacAddress source_mac = in.Mac();
  const uint16_t ether_type = in.U16();
  const uint8_t version = in.U8() >> 4;
  in.Take(3);  // traffic class and flow label
  const uint16_t payload_length = in.U16();
  const uint8_t next_header = in.U8();
  const uint8_t hop_limit = in.U8();
  const IpAddress source = in.Ipv6();
  const IpAddress destination = in.Ipv6();
  // The frame may be padded: what counts is the length that IPv6 states.
  const std::span<const uint8_t> message = in.Take(payload_length);
  if (!in.ok()) return DropReason::kTooShort;

  // An extension header before ICMPv6 is legal and not worth the risk: nobody sends neighbour discovery so.
  if (ether_type != ETH_P_IPV6 || version != kIpv6Version || next_header != kIcmpv6) return DropReason::kMalformed;
  if (source_mac.IsMulticast() || source_mac.IsZero()) return DropReason::kBadSender;
  if (hop_limit != kHopLimit) return DropReason::kBadHopLimit;
  if (message.size() < kMessageLength) return DropReason::kTooShort;
  if (!ChecksumHolds(source, destination, message)) return DropReason::kBadChecksum;

  WireReader icmp(message);
  const auto type = static_cast<NdpType>(icmp.U8());
  const uint8_t code = icmp.U8();
  icmp.Take(2);  // checksum
  const uint32_t flags = uint32_t{icmp.U16()} << 16;
  icmp.Take(2);  // reserved
  const IpAddress target = icmp.Ipv6();
  const bool asks = type == NdpType::kSolicitation;
  if (!asks && type != NdpType::kAdvertisement) return DropReason::kNotRequest;
  if (code != 0) return DropReason::kMalformed;
  if (target.IsMulticast()) return DropReason::kBadTarget;
  if (source.IsMulticast()) return DropReason::kBadSource;
  if (asks && source.IsUnspecified() && !IsSolicitedNodeGroup(destination)) return DropReason::kBadSource;
  // Nobody can have solicited what goes to a group.
  if (!asks && (flags & kSolicited) != 0 && destination.IsMulticast()) return DropReason::kMalformed;
  out = {type, source_mac, destination_mac, source_mac, source, target};
  if (!ReadOptions(message.subspan(kMessageLength), out)) return DropReason::kBadOption;
  if (out.sender_mac.IsMulticast() || out.sender_mac.IsZero()) return DropReason::kBadSender;
  return DropReason::kNone;
}

NdpFrame BuildNeighborAdvertisement(const NdpMessage& solicitation, const MacAddress& own) {
  // RFC 4861 section 7.2.4: without an address to answer to, the answer goes to all nodes and is not "solicited". To
  // the link-layer source rather than to the stated one: it is where the frame really came from.
  if (solicitation.source.IsUnspecified()) return BuildUnsolicitedAdvertisement(solicitation.target, own);
  return BuildAdvertisement({solicitation.source_mac, solicitation.source}, kSolicited | kOverride, solicitation.target,
                            own);
}

NdpFrame BuildUnsolicitedAdvertisement(const IpAddress& address, const MacAddress& own) {
  return BuildAdvertisement({kAllNodesMac, kAllNodes}, kOverride, address, own);
}

NdpFrame BuildUnicastAdvertisement(const IpAddress& address, const MacAddress& own, const MacAddress& target_mac,
                                   const IpAddress& target_ip) {
  return BuildAdvertisement({target_mac, target_ip}, kOverride, address, own);
}

NdpFrame BuildNeighborSolicitation(const IpAddress& address, const MacAddress& own, const IpAddress& source) {
  std::array<uint8_t, kLinkLayerOptionLength> option{};
  WireWriter(option).U8(kOptionSourceLinkLayer).U8(1).Mac(own);
  const IpAddress group = SolicitedNodeGroup(address);
  return Build<NdpFrame>({own, source}, {GroupMac(group), group}, NdpType::kSolicitation, 0, address, option);
}

DadFrame BuildDadSolicitation(const IpAddress& address, const MacAddress& own) {
  const IpAddress group = SolicitedNodeGroup(address);
  const IpAddress unspecified{Family::kIpv6, {}};
  return Build<DadFrame>({own, unspecified}, {GroupMac(group), group}, NdpType::kSolicitation, 0, address, {});
}

}  // namespace garpoon
