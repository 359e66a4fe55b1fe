#include "answer.h"

#include <linux/if_packet.h>

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

DropReason Lookup(const IpAddress& target, const IpAddress& sender, const View& view) {
  const Announcement* found = view.table.Find(target);
  if (found == nullptr) return DropReason::kNotAnnounced;
  if (view.announces[found->set] == 0) return DropReason::kWrongInterface;
  // An announcement by another host (RFC 5227 section 1.1). Answering would start a fight, not settle it.
  if (sender == target) return DropReason::kForeignClaim;
  return DropReason::kNone;
}

}  // namespace

DropReason AnswerArp(const ReceivedFrame& frame, const View& view, ArpFrame& out) {
  DropReason reason = Delivery(frame);
  ArpRequest request;
  if (reason == DropReason::kNone) reason = ParseArpRequest(frame.bytes, view.mac, request);
  if (reason == DropReason::kNone) reason = Lookup(request.target_ip, request.sender_ip, view);
  if (reason == DropReason::kNone) out = BuildArpReply(request, view.mac);
  return reason;
}

DropReason AnswerNdp(const ReceivedFrame& frame, const View& view, NdpFrame& out) {
  DropReason reason = Delivery(frame);
  NeighborSolicitation solicitation;
  if (reason == DropReason::kNone) reason = ParseNeighborSolicitation(frame.bytes, view.mac, solicitation);
  if (reason == DropReason::kNone) reason = Lookup(solicitation.target, solicitation.source, view);
  if (reason == DropReason::kNone) out = BuildNeighborAdvertisement(solicitation, view.mac);
  return reason;
}

}  // namespace garpoon
