// BFD echo packets as this system sends them, RFC 5881 section 4: from its own address to its own address, handed to
// the peer on the link, whose forwarding sends them back. IPv4 only. Pure.
//
//   0 IPv4 header | 20 UDP header | 28 discriminator | 32 sequence (8 bytes) | 40 tag (8 bytes)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "address.h"
#include "bfd_echo_drop.h"
#include "siphash.h"

namespace garpoon {

inline constexpr uint16_t kBfdEchoPort = 3785;
inline constexpr uint8_t kBfdEchoTtl = 255;
inline constexpr size_t kBfdEchoSize = 48;

struct BfdEchoStamp {
  uint32_t discriminator = 0;
  uint64_t sequence = 0;

  bool operator==(const BfdEchoStamp&) const = default;
};

struct BfdEchoReception {
  IpAddress source;
  IpAddress destination;
  uint8_t ttl = 0;
  BfdEchoStamp stamp;
  uint64_t tag = 0;
};

// `address`: ours, of IPv4.
void MarshalBfdEcho(const IpAddress& address, const BfdEchoStamp& stamp, const SipHashKey& key,
                    std::span<uint8_t, kBfdEchoSize> out);

// `datagram` begins with the IPv4 header; what is behind the packet is padding.
[[nodiscard]] BfdEchoDrop ParseBfdEcho(std::span<const uint8_t> datagram, BfdEchoReception& reception);

// Whether it was written here, with this key, to this address.
[[nodiscard]] bool IsGenuine(const BfdEchoReception& reception, const SipHashKey& key);

}  // namespace garpoon
