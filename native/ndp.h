// IPv6 neighbour discovery on the wire: RFC 4861 section 4.3, 4.4 and 7, RFC 4862 section 5.4. Pure: bytes in, values
// out.
//
//   0 Ethernet header | 14 IPv6 header | 54 type | 55 code | 56 checksum | 58 flags | 62 target | 78 options
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "address.h"
#include "drop_reason.h"

namespace garpoon {

// Ethernet, IPv6, neighbour advertisement, one target link-layer address option.
using NdpFrame = std::array<uint8_t, 14 + 40 + 24 + 8>;

struct NeighborSolicitation {
  MacAddress source_mac;
  IpAddress source;  // :: while the sender checks whether its address is taken (duplicate address detection)
  IpAddress target;
};

// Fills `out` when the result is kNone. `own` is the MAC address of the interface the frame came in on.
[[nodiscard]] DropReason ParseNeighborSolicitation(std::span<const uint8_t> frame, const MacAddress& own,
                                                   NeighborSolicitation& out);

// To the asking host, or to all nodes when it has no address yet.
[[nodiscard]] NdpFrame BuildNeighborAdvertisement(const NeighborSolicitation& solicitation, const MacAddress& own);

// To all nodes, unasked (RFC 4861 section 7.2.6).
[[nodiscard]] NdpFrame BuildUnsolicitedAdvertisement(const IpAddress& address, const MacAddress& own);

}  // namespace garpoon
