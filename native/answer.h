// From a received frame to the answer on the wire, or to the reason why there is none. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "address_table.h"
#include "arp.h"
#include "drop_reason.h"
#include "ndp.h"

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
  const MacAddress& mac;
};

// Fill `out` when the result is kNone.
[[nodiscard]] DropReason AnswerArp(const ReceivedFrame& frame, const View& view, ArpFrame& out);
[[nodiscard]] DropReason AnswerNdp(const ReceivedFrame& frame, const View& view, NdpFrame& out);

}  // namespace garpoon
