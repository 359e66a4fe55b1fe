#include "answer.h"

#include <linux/if_packet.h>

#include <algorithm>

namespace garpoon {
namespace {

// The kernel's filter says the same; the filter only saves wake-ups, this decides. A frame of a VLAN that has no
// interface here is delivered untagged, and only its packet type, PACKET_OTHERHOST, tells.
DropReason Delivery(const ReceivedFrame& frame) {
  const bool ours = frame.packet_type == PACKET_HOST || frame.packet_type == PACKET_BROADCAST ||
                    frame.packet_type == PACKET_MULTICAST;
  if (!ours) return DropReason::kOtherHost;
  return frame.truncated ? DropReason::kTooLong : DropReason::kNone;
}

// `source` is of the Ethernet header, `sender` of the message inside.
bool IsFromThisMachine(const MacAddress& source, const MacAddress& sender, const View& view) {
  const auto has = [&view](const MacAddress& mac) {
    return std::ranges::binary_search(view.own_macs, mac.bytes, {}, &MacAddress::bytes);
  };
  return has(source) || has(sender);
}

struct Standing {
  const Announcement* announcement;  // null when the address is not in the table
  DropReason reason;                 // kNone when it is ours to answer for on this interface
};

Standing StandingOf(const IpAddress& address, const View& view) {
  const Announcement* found = view.table.Find(address);
  if (found == nullptr) return {nullptr, DropReason::kNotAnnounced};
  if (view.announces[found->set] == 0) return {found, DropReason::kWrongInterface};
  return {found, found->held ? DropReason::kHeld : DropReason::kNone};
}

bool IsOurs(DropReason standing) { return standing == DropReason::kNone || standing == DropReason::kHeld; }

std::optional<Claim> ReadArpClaim(std::span<const uint8_t> frame, const MacAddress& own) {
  ArpMessage message;
  if (ParseArp(frame, message) != DropReason::kNone) return std::nullopt;
  if (message.destination != kBroadcastMac && message.destination != own) return std::nullopt;
  if (message.source == own || message.sender_mac == own || message.sender_ip.IsUnspecified()) return std::nullopt;
  return Claim{message.sender_ip, message.sender_mac};
}

std::optional<Claim> ReadNdpClaim(std::span<const uint8_t> frame, const MacAddress& own) {
  NdpMessage message;
  if (ParseNdp(frame, message) != DropReason::kNone) return std::nullopt;
  if (message.destination_mac != own && !message.destination_mac.IsMulticast()) return std::nullopt;
  if (message.source_mac == own || message.sender_mac == own) return std::nullopt;
  if (message.type != NdpType::kAdvertisement && message.source != message.target) return std::nullopt;
  return Claim{message.target, message.sender_mac};
}

}  // namespace

DropReason AnswerArp(const ReceivedFrame& frame, const View& view, ArpOutcome& out) {
  ArpMessage message;
  DropReason reason = Delivery(frame);
  if (reason == DropReason::kNone) reason = ParseArp(frame.bytes, message);
  if (reason != DropReason::kNone) return reason;
  if (message.destination != kBroadcastMac && message.destination != view.mac) return DropReason::kOtherHost;
  if (message.source == view.mac || message.sender_mac == view.mac) return DropReason::kOwnSender;

  // A probe's sender, 0.0.0.0, is in no table.
  const DropReason sender = StandingOf(message.sender_ip, view).reason;
  if (IsOurs(sender)) {
    if (IsFromThisMachine(message.source, message.sender_mac, view)) return DropReason::kOwnSender;
    out.claim = Claim{message.sender_ip, message.sender_mac};
  }
  Standing target{nullptr, DropReason::kNotRequest};
  if (message.operation == ArpOperation::kRequest) {
    // An announcement asks for nothing. Answering one of an address of ours would start a fight, not settle it.
    const bool announces = message.sender_ip == message.target_ip;
    target = announces ? Standing{nullptr, DropReason::kNotAnnounced} : StandingOf(message.target_ip, view);
  }
  if (target.reason == DropReason::kNone) {
    out.answer = BuildArpReply(message, view.mac);
    out.answered = target.announcement;
  }
  if (out.claim) return DropReason::kForeignClaim;
  if (!out.answer && sender == DropReason::kWrongInterface) return sender;
  return target.reason;
}

DropReason AnswerNdp(const ReceivedFrame& frame, const View& view, NdpOutcome& out) {
  NdpMessage message;
  DropReason reason = Delivery(frame);
  if (reason == DropReason::kNone) reason = ParseNdp(frame.bytes, message);
  if (reason != DropReason::kNone) return reason;
  if (message.destination_mac != view.mac && !message.destination_mac.IsMulticast()) return DropReason::kOtherHost;
  if (message.source_mac == view.mac || message.sender_mac == view.mac) return DropReason::kOwnSender;

  const bool advertises = message.type == NdpType::kAdvertisement;
  const auto [announcement, standing] = StandingOf(message.target, view);
  if (IsOurs(standing) && (advertises || message.source == message.target)) {
    if (IsFromThisMachine(message.source_mac, message.sender_mac, view)) return DropReason::kOwnSender;
    out.claim = Claim{message.target, message.sender_mac};
    return DropReason::kForeignClaim;
  }
  if (advertises) return standing == DropReason::kNotAnnounced ? DropReason::kNotRequest : standing;
  if (standing == DropReason::kNone) {
    out.answer = BuildNeighborAdvertisement(message, view.mac);
    out.answered = announcement;
  }
  return standing;
}

std::optional<Claim> ReadClaim(Protocol protocol, const ReceivedFrame& frame, const MacAddress& own) {
  if (Delivery(frame) != DropReason::kNone) return std::nullopt;
  return protocol == Protocol::kArp ? ReadArpClaim(frame.bytes, own) : ReadNdpClaim(frame.bytes, own);
}

}  // namespace garpoon
