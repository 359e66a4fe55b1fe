// Router advertisements and solicitations on the wire: RFC 4861 section 4.1, 4.2 and 6. Pure: bytes in, values out.
// What is parsed and built begins with the ICMPv6 type; the checksum is the kernel's, which checks and fills in those
// of its ICMPv6 sockets.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "address.h"
#include "drop_reason.h"

namespace garpoon {

enum class RouterMessageType : uint8_t { kSolicitation = 133, kAdvertisement = 134 };

struct RouterMessage {
  RouterMessageType type = RouterMessageType::kSolicitation;
  uint16_t lifetime = 0;  // of an advertisement: for how many seconds the sender is a default router
};

// Fills `out` when the result is kNone. `source` and `hop_limit` are those of the IPv6 header.
[[nodiscard]] DropReason ParseRouterMessage(std::span<const uint8_t> message, const IpAddress& source,
                                            uint8_t hop_limit, RouterMessage& out);

// A message, with the sender's link-layer address as its one option.
template <size_t kFixed>
using WithLinkLayer = std::array<uint8_t, kFixed + 8>;

// Of a router that is nobody's default router: its lifetime is 0, so that no host sends it anything for others.
[[nodiscard]] WithLinkLayer<16> BuildRouterAdvertisement(const MacAddress& own);

// Asks the routers of the link to advertise themselves now.
[[nodiscard]] WithLinkLayer<8> BuildRouterSolicitation(const MacAddress& own);

}  // namespace garpoon
