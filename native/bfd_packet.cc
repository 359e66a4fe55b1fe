#include "bfd_packet.h"

#include "wire.h"

namespace garpoon {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kLeastAuthentication = 2;  // its type and length

constexpr uint8_t kPoll = 0x20;
constexpr uint8_t kFinal = 0x10;
constexpr uint8_t kControlPlaneIndependent = 0x08;
constexpr uint8_t kAuthenticated = 0x04;
constexpr uint8_t kDemand = 0x02;
constexpr uint8_t kMultipoint = 0x01;

}  // namespace

BfdDrop ParseBfd(std::span<const uint8_t> payload, BfdReception& reception) {
  if (payload.size() < kBfdMandatorySize) return BfdDrop::kTruncated;
  WireReader in(payload);
  const uint8_t first = in.U8();
  const uint8_t flags = in.U8();
  BfdPacket& packet = reception.packet;
  packet.diagnostic = static_cast<BfdDiagnostic>(first & 0x1f);
  packet.state = static_cast<BfdState>(flags >> 6);
  packet.poll = (flags & kPoll) != 0;
  packet.final = (flags & kFinal) != 0;
  packet.control_plane_independent = (flags & kControlPlaneIndependent) != 0;
  packet.demand = (flags & kDemand) != 0;
  packet.detect_multiplier = in.U8();
  const size_t length = in.U8();
  packet.my_discriminator = in.U32();
  packet.your_discriminator = in.U32();
  packet.desired_min_tx = in.U32();
  packet.required_min_rx = in.U32();
  packet.required_min_echo_rx = in.U32();

  if (first >> 5 != kVersion) return BfdDrop::kBadVersion;
  const bool authenticated = (flags & kAuthenticated) != 0;
  if (length < kBfdMandatorySize + (authenticated ? kLeastAuthentication : 0)) return BfdDrop::kBadLength;
  if (length > payload.size()) return BfdDrop::kTruncated;
  if (packet.detect_multiplier == 0) return BfdDrop::kZeroMultiplier;
  if ((flags & kMultipoint) != 0) return BfdDrop::kMultipoint;
  if (packet.my_discriminator == 0) return BfdDrop::kZeroDiscriminator;
  const bool unacquainted = packet.state == BfdState::kDown || packet.state == BfdState::kAdminDown;
  if (packet.your_discriminator == 0 && !unacquainted) return BfdDrop::kMissingDiscriminator;
  reception.bytes = payload.first(length);
  reception.authentication = authenticated ? reception.bytes.subspan(kBfdMandatorySize) : std::span<const uint8_t>();
  return BfdDrop::kNone;
}

void MarshalBfd(const BfdPacket& packet, size_t authentication_size, std::span<uint8_t, kBfdMandatorySize> out) {
  uint8_t flags = static_cast<uint8_t>(static_cast<uint8_t>(packet.state) << 6);
  if (packet.poll) flags |= kPoll;
  if (packet.final) flags |= kFinal;
  if (packet.control_plane_independent) flags |= kControlPlaneIndependent;
  if (authentication_size > 0) flags |= kAuthenticated;
  if (packet.demand) flags |= kDemand;
  WireWriter(out)
      .U8(static_cast<uint8_t>(kVersion << 5 | (static_cast<uint8_t>(packet.diagnostic) & 0x1f)))
      .U8(flags)
      .U8(packet.detect_multiplier)
      .U8(static_cast<uint8_t>(kBfdMandatorySize + authentication_size))
      .U32(packet.my_discriminator)
      .U32(packet.your_discriminator)
      .U32(packet.desired_min_tx)
      .U32(packet.required_min_rx)
      .U32(packet.required_min_echo_rx);
}

const char* Name(BfdState state) {
  constexpr std::array kNames = {"adminDown", "down", "init", "up"};
  return kNames[static_cast<size_t>(state)];
}

const char* Name(BfdDiagnostic diagnostic) {
  constexpr std::array kNames = {
      "none",     "detectionTimeExpired", "echoFailed",           "neighborSignaledDown",        "forwardingPlaneReset",
      "pathDown", "concatenatedPathDown", "administrativelyDown", "reverseConcatenatedPathDown",
  };
  const auto index = static_cast<size_t>(diagnostic);
  return index < kNames.size() ? kNames[index] : "reserved";
}

}  // namespace garpoon
