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
// A solicitation without options.
using DadFrame = std::array<uint8_t, 14 + 40 + 24>;

enum class NdpType : uint8_t { kSolicitation = 135, kAdvertisement = 136 };

struct NdpMessage {
  NdpType type;
  MacAddress source_mac;  // of the Ethernet header, as is `destination_mac`
  MacAddress destination_mac;
  // Where an advertisement says that the target is: its target link-layer address option, without one the Ethernet
  // source, which is also what a solicitation has here.
  MacAddress sender_mac;
  IpAddress source;  // :: while the sender checks whether its address is taken (duplicate address detection)
  IpAddress target;
};

// Fills `out` when the result is kNone. Whom the frame is to, and whether it is our own, is for the caller to judge.
[[nodiscard]] DropReason ParseNdp(std::span<const uint8_t> frame, NdpMessage& out);

// To the asking host, or to all nodes when it has no address yet.
[[nodiscard]] NdpFrame BuildNeighborAdvertisement(const NdpMessage& solicitation, const MacAddress& own);

// To all nodes, unasked (RFC 4861 section 7.2.6).
[[nodiscard]] NdpFrame BuildUnsolicitedAdvertisement(const IpAddress& address, const MacAddress& own);

// To one neighbour, unasked: it replaces what its cache has.
[[nodiscard]] NdpFrame BuildUnicastAdvertisement(const IpAddress& address, const MacAddress& own,
                                                 const MacAddress& target_mac, const IpAddress& target_ip);

// Asks who has the address, for an answer to `source` alone. Whoever has it takes us into its cache as `source`: that
// must be an address of the interface (RFC 4861 section 7.2.2).
[[nodiscard]] NdpFrame BuildNeighborSolicitation(const IpAddress& address, const MacAddress& own,
                                                 const IpAddress& source);

// Asks whether another host holds the address, and puts nothing into any cache (RFC 4862 section 5.4.2).
[[nodiscard]] DadFrame BuildDadSolicitation(const IpAddress& address, const MacAddress& own);

}  // namespace garpoon
