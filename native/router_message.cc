#include "router_message.h"

#include "socket_address.h"
#include "wire.h"

namespace garpoon {
namespace {

constexpr uint8_t kHopLimit = 255;
constexpr size_t kSolicitationLength = 8;  // without options, as the next
constexpr size_t kAdvertisementLength = 16;
constexpr size_t kOptionUnit = 8;
constexpr uint8_t kOptionSourceLinkLayer = 1;

// RFC 4861 section 6.1.1 and 6.1.2: options of unknown type are passed over, one without a length spoils the message.
bool OptionsHold(WireReader& in, bool may_state_source) {
  while (in.remaining() > 0) {
    const uint8_t type = in.U8();
    const size_t length = in.U8() * kOptionUnit;
    if (length == 0) return false;
    in.Take(length - 2);
    if (!in.ok()) return false;
    if (type == kOptionSourceLinkLayer && !may_state_source) return false;
  }
  return true;
}

}  // namespace

DropReason ParseRouterMessage(std::span<const uint8_t> message, const IpAddress& source, uint8_t hop_limit,
                              RouterMessage& out) {
  if (hop_limit != kHopLimit) return DropReason::kBadHopLimit;
  if (message.size() < kSolicitationLength) return DropReason::kTooShort;
  WireReader in(message);
  const uint8_t type = in.U8();
  const uint8_t code = in.U8();
  in.Take(2);  // checksum
  const bool advertises = type == static_cast<uint8_t>(RouterMessageType::kAdvertisement);
  if (!advertises && type != static_cast<uint8_t>(RouterMessageType::kSolicitation)) return DropReason::kNotRequest;
  if (code != 0) return DropReason::kMalformed;
  if (source.family != Family::kIpv6 || source.IsMulticast()) return DropReason::kBadSource;

  RouterMessage read;
  if (advertises) {
    read.type = RouterMessageType::kAdvertisement;
    if (!IsLinkLocal(source)) return DropReason::kBadSource;
    if (message.size() < kAdvertisementLength) return DropReason::kTooShort;
    in.Take(2);  // hop limit and flags
    read.lifetime = in.U16();
    in.Take(8);  // reachable time, retransmission timer
  } else {
    in.Take(4);  // reserved
  }
  if (!OptionsHold(in, !source.IsUnspecified())) return DropReason::kBadOption;
  out = read;
  return DropReason::kNone;
}

WithLinkLayer<16> BuildRouterAdvertisement(const MacAddress& own) {
  WithLinkLayer<16> message{};
  // Zeros: it sets no hop limit, no flag, no lifetime, no times.
  WireWriter(message)
      .U8(static_cast<uint8_t>(RouterMessageType::kAdvertisement))
      .Bytes(std::array<uint8_t, kAdvertisementLength - 1>{})
      .U8(kOptionSourceLinkLayer)
      .U8(1)
      .Mac(own);
  return message;
}

WithLinkLayer<8> BuildRouterSolicitation(const MacAddress& own) {
  WithLinkLayer<8> message{};
  WireWriter(message)
      .U8(static_cast<uint8_t>(RouterMessageType::kSolicitation))
      .Bytes(std::array<uint8_t, kSolicitationLength - 1>{})
      .U8(kOptionSourceLinkLayer)
      .U8(1)
      .Mac(own);
  return message;
}

}  // namespace garpoon
