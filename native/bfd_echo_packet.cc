#include "bfd_echo_packet.h"

#include "wire.h"

namespace garpoon {
namespace {

constexpr uint8_t kVersionAndLength = 0x45;  // no options
constexpr uint8_t kClassSelector6 = 0xc0;
constexpr uint16_t kDontFragment = 0x4000;
constexpr uint8_t kUdp = 17;
constexpr size_t kIpSize = 20;
constexpr size_t kUdpSize = kBfdEchoSize - kIpSize;
constexpr size_t kIpChecksumOffset = 10;
constexpr size_t kUdpChecksumOffset = kIpSize + 6;

// RFC 1071, of an even number of bytes.
uint16_t Checksum(std::span<const uint8_t> bytes, uint32_t sum) {
  WireReader in(bytes);
  while (in.remaining() > 0) sum += in.U16();
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

uint64_t U64(WireReader& in) {
  const uint64_t high = in.U32();
  return high << 32 | in.U32();
}

void WriteU64(WireWriter& out, uint64_t value) {
  out.U32(static_cast<uint32_t>(value >> 32)).U32(static_cast<uint32_t>(value));
}

uint64_t TagOf(const IpAddress& address, const BfdEchoStamp& stamp, const SipHashKey& key) {
  std::array<uint8_t, 16> message;
  WireWriter out(message);
  out.Ip(address).U32(stamp.discriminator);
  WriteU64(out, stamp.sequence);
  return SipHash(key, message);
}

}  // namespace

void MarshalBfdEcho(const IpAddress& address, const BfdEchoStamp& stamp, const SipHashKey& key,
                    std::span<uint8_t, kBfdEchoSize> out) {
  WireWriter packet(out);
  packet.U8(kVersionAndLength)
      .U8(kClassSelector6)
      .U16(kBfdEchoSize)
      .U16(0)
      .U16(kDontFragment)
      .U8(kBfdEchoTtl)
      .U8(kUdp)
      .U16(0)
      .Ip(address)
      .Ip(address)
      .U16(kBfdEchoPort)
      .U16(kBfdEchoPort)
      .U16(kUdpSize)
      .U16(0)
      .U32(stamp.discriminator);
  WriteU64(packet, stamp.sequence);
  WriteU64(packet, TagOf(address, stamp, key));

  WireWriter(out.subspan(kIpChecksumOffset)).U16(Checksum(out.first(kIpSize), 0));
  // The pseudo-header is the addresses, the protocol and the length. 0 would say that there is no checksum.
  const uint16_t checksum = Checksum(out.subspan(kIpSize - 8), kUdp + kUdpSize);
  WireWriter(out.subspan(kUdpChecksumOffset)).U16(checksum == 0 ? 0xffff : checksum);
}

// The tag is what tells that nothing was changed on the way; the checksums are not looked at.
BfdEchoDrop ParseBfdEcho(std::span<const uint8_t> datagram, BfdEchoReception& reception) {
  if (datagram.size() < kBfdEchoSize) return BfdEchoDrop::kTruncated;
  WireReader in(datagram);
  const uint8_t version_and_length = in.U8();
  (void)in.U8();
  const uint16_t size = in.U16();
  (void)in.U16();
  const uint16_t fragment = in.U16();
  reception.ttl = in.U8();
  const uint8_t protocol = in.U8();
  (void)in.U16();
  reception.source = in.Ipv4();
  reception.destination = in.Ipv4();
  (void)in.U16();
  const uint16_t port = in.U16();
  const uint16_t udp_size = in.U16();
  (void)in.U16();
  reception.stamp.discriminator = in.U32();
  reception.stamp.sequence = U64(in);
  reception.tag = U64(in);
  const bool whole = (fragment & ~kDontFragment) == 0 && size == kBfdEchoSize && udp_size == kUdpSize;
  if (version_and_length != kVersionAndLength || protocol != kUdp || port != kBfdEchoPort) {
    return BfdEchoDrop::kMalformed;
  }
  // What others send has other sizes.
  if (reception.source != reception.destination) return BfdEchoDrop::kNotOurs;
  return whole ? BfdEchoDrop::kNone : BfdEchoDrop::kMalformed;
}

bool IsGenuine(const BfdEchoReception& reception, const SipHashKey& key) {
  return reception.tag == TagOf(reception.destination, reception.stamp, key);
}

}  // namespace garpoon
