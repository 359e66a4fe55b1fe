// ARP on the wire: RFC 826, with the probes and announcements of RFC 5227. Pure: bytes in, values out.
//
//   0 destination MAC | 6 source MAC | 12 0x0806 | 14 hardware type | 16 protocol type | 18 hlen | 19 plen | 20
//   operation 22 sender MAC | 28 sender IP | 32 target MAC | 38 target IP | 42 padding
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "address.h"
#include "drop_reason.h"

namespace garpoon {

// Padded to the shortest Ethernet frame, without its checksum: some drivers and virtual switches send it as it is.
using ArpFrame = std::array<uint8_t, 60>;

enum class ArpOperation : uint16_t { kRequest = 1, kReply = 2 };

struct ArpMessage {
  ArpOperation operation;
  MacAddress source;  // of the Ethernet header, as is `destination`
  MacAddress destination;
  MacAddress sender_mac;
  IpAddress sender_ip;  // 0.0.0.0 in a probe
  IpAddress target_ip;
};

// Fills `out` when the result is kNone. Whom the frame is to, and whether it is our own, is for the caller to judge.
[[nodiscard]] DropReason ParseArp(std::span<const uint8_t> frame, ArpMessage& out);

// A reply to the asking host alone. A probe's reply has target IP 0.0.0.0, which RFC 5227 section 2.1.1 allows.
[[nodiscard]] ArpFrame BuildArpReply(const ArpMessage& request, const MacAddress& own);

// An announcement comes in two forms, because some hosts refresh their cache only on one of them.
[[nodiscard]] ArpFrame BuildGratuitousArp(ArpOperation form, const IpAddress& address, const MacAddress& own);

// Asks all hosts whether one holds the address, and puts nothing into any cache (RFC 5227 section 2.1.1).
[[nodiscard]] ArpFrame BuildArpProbe(const IpAddress& address, const MacAddress& own);

// Asks one neighbour for its own address. It takes the sender into its cache (RFC 826, "Packet Reception"), even where
// it ignores announcements (metallb#2009), and replies.
[[nodiscard]] ArpFrame BuildUnicastArp(const IpAddress& address, const MacAddress& own, const MacAddress& target_mac,
                                       const IpAddress& target_ip);

}  // namespace garpoon
