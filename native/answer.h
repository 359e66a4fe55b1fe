// From a received frame to the answer on the wire, or to the reason why there is none; and to the claim of another host
// on an address of ours. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "address_table.h"
#include "arp.h"
#include "drop_reason.h"
#include "ndp.h"
#include "socket_filter.h"

namespace garpoon {

// A frame as an AF_PACKET socket delivers it.
struct ReceivedFrame {
  std::span<const uint8_t> bytes;
  uint8_t packet_type;  // PACKET_HOST, PACKET_OTHERHOST, ... of <linux/if_packet.h>
  bool truncated;
};

// The view one interface has of the table. Valid during one frame.
struct View {
  const AddressTable& table;
  std::span<const uint8_t> announces;  // by interface set: 1 when the interface belongs to it
  const MacAddress& mac;               // of the interface
  // Of all interfaces of this machine, ascending: a claim that went out of another one is our own, kOwnSender.
  std::span<const MacAddress> own_macs;
};

// Another host says that it holds an address which is ours on this interface, held ones included (RFC 5227
// section 2.4).
struct Claim {
  IpAddress address;
  MacAddress mac;
};

template <typename Frame>
struct Outcome {
  std::optional<Frame> answer;
  const Announcement* answered = nullptr;  // what the answer is for
  std::optional<Claim> claim;
};
using ArpOutcome = Outcome<ArpFrame>;
using NdpOutcome = Outcome<NdpFrame>;

// Fill `out`, which comes empty. The result is kForeignClaim when there is a claim, with or without an answer; else
// kNone when there is an answer; else why there is none.
[[nodiscard]] DropReason AnswerArp(const ReceivedFrame& frame, const View& view, ArpOutcome& out);
[[nodiscard]] DropReason AnswerNdp(const ReceivedFrame& frame, const View& view, NdpOutcome& out);

// Who says in the frame that he has which address, whatever the table says; nothing when nobody does, and when it is
// ourselves. `own` is the MAC address of the interface.
[[nodiscard]] std::optional<Claim> ReadClaim(Protocol protocol, const ReceivedFrame& frame, const MacAddress& own);

}  // namespace garpoon
