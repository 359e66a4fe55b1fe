// What is asked of one BFD session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "address.h"
#include "bfd_authentication.h"

namespace garpoon {

inline constexpr size_t kMaxBfdSessions = 1024;

// May change while the session goes on.
struct BfdParameters {
  uint32_t desired_min_tx = 1'000'000;  // microseconds, as all intervals on the wire; never 0
  uint32_t required_min_rx = 1'000'000;
  uint8_t detect_multiplier = 3;
  bool passive = false;
  bool demand = false;         // ask the peer to speak only when asked
  uint32_t echo_interval = 0;  // of echo packets, here and from the peer; 0: none. Of one hop and IPv4 only.

  bool operator==(const BfdParameters&) const = default;
};

// Whose packets belong to a session before they carry its discriminator. One session has each.
struct BfdPeer {
  IpAddress address;
  std::string interface;     // empty: any
  uint16_t listen_port = 0;  // that its packets come to

  bool operator==(const BfdPeer&) const = default;
};

struct BfdSettings {
  std::string id;  // of the caller
  BfdPeer peer;
  std::optional<IpAddress> local;  // of the same family
  uint16_t port = 0;               // of the peer
  uint8_t minimum_ttl = 255;       // of what it sends; 255: it is on this link, RFC 5881 section 5
  bool tied_to_lease = false;      // is down while the responder is silent
  BfdParameters parameters;
  BfdKeyring keyring;

  bool operator==(const BfdSettings&) const = default;
};

// A session with other addresses is another session.
[[nodiscard]] inline bool SameSession(const BfdSettings& a, const BfdSettings& b) {
  return a.id == b.id && a.peer == b.peer && a.local == b.local && a.port == b.port;
}

}  // namespace garpoon
