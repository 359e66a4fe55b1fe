// BFD control packets on the wire, RFC 5880 section 4. Pure.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//   |                       My Discriminator                        |
//   |                      Your Discriminator                       |
//   |                    Desired Min TX Interval                    |
//   |                   Required Min RX Interval                    |
//   |                 Required Min Echo RX Interval                 |
//   |   Auth Type   |   Auth Len    |    authentication data …      |   with A alone
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "bfd_drop.h"

namespace garpoon {

inline constexpr size_t kBfdMandatorySize = 24;
inline constexpr size_t kBfdLongestPacket = kBfdMandatorySize + 28;  // with a SHA-1 digest

enum class BfdState : uint8_t { kAdminDown, kDown, kInit, kUp };

// Section 4.1. What a peer sends may be beyond these.
enum class BfdDiagnostic : uint8_t {
  kNone,
  kDetectionTimeExpired,
  kEchoFailed,
  kNeighborSignaledDown,
  kForwardingPlaneReset,
  kPathDown,
  kConcatenatedPathDown,
  kAdministrativelyDown,
  kReverseConcatenatedPathDown,
};

struct BfdPacket {
  BfdDiagnostic diagnostic{};
  BfdState state = BfdState::kDown;
  bool poll = false;
  bool final = false;
  bool control_plane_independent = false;
  bool demand = false;
  uint8_t detect_multiplier = 0;
  uint32_t my_discriminator = 0;
  uint32_t your_discriminator = 0;
  uint32_t desired_min_tx = 0;  // all intervals in microseconds
  uint32_t required_min_rx = 0;
  uint32_t required_min_echo_rx = 0;

  bool operator==(const BfdPacket&) const = default;
};

struct BfdReception {
  BfdPacket packet;
  // The packet as long as it says it is, and its authentication section, which is empty without the A bit. Both are
  // parts of what was parsed.
  std::span<const uint8_t> bytes;
  std::span<const uint8_t> authentication;
};

// Judges what can be judged without a session: everything in section 6.8.6 up to the choice of one.
[[nodiscard]] BfdDrop ParseBfd(std::span<const uint8_t> payload, BfdReception& reception);

// Writes the mandatory section. The packet will be `authentication_size` longer, and has the A bit unless that is 0.
void MarshalBfd(const BfdPacket& packet, size_t authentication_size, std::span<uint8_t, kBfdMandatorySize> out);

[[nodiscard]] const char* Name(BfdState state);
[[nodiscard]] const char* Name(BfdDiagnostic diagnostic);  // "reserved" beyond what is defined

}  // namespace garpoon
