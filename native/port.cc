#include "port.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace garpoon {
namespace {

// Before other sockets get their turn.
constexpr int kBatchesPerTurn = 8;
// Joins and leaves between two looks at the sockets: about a millisecond with thousands of groups.
constexpr size_t kGroupsPerTurn = 64;

struct Counters {
  Counter received;
  Counter answered;
  const char* open;
  const char* receive;
};

constexpr std::array<Counters, 2> kByProtocol = {{
    {Counter::kArpReceived, Counter::kArpAnswered, "open ARP socket", "receive ARP"},
    {Counter::kNdpReceived, Counter::kNdpAnswered, "open NDP socket", "receive NDP"},
}};

const Counters& Of(Protocol protocol) { return kByProtocol[static_cast<size_t>(protocol)]; }

}  // namespace

PortWants WantsOf(const AddressTable& table, const Link& link) {
  PortWants wants;
  wants.announces.resize(table.sets().size());
  for (size_t set = 0; set < wants.announces.size(); set++) {
    const InterfaceSet& patterns = table.sets()[set];
    if (!patterns.empty() && !MatchesAny(patterns, link.name)) continue;
    wants.announces[set] = 1;
    wants.ipv4 = wants.ipv4 || table.Has(set, Family::kIpv4);
    wants.ipv6 = wants.ipv6 || table.Has(set, Family::kIpv6);
    std::vector<uint32_t> all;
    std::ranges::set_union(wants.suffixes, table.SolicitedNodeSuffixes(set), std::back_inserter(all));
    wants.suffixes = std::move(all);
  }
  return wants;
}

Port::Port(int interface_index, const Poll& poll, const AnnouncementSchedule& schedule, Stats& stats)
    : index_(interface_index), poll_(poll), stats_(stats), queue_(schedule) {}

Port::~Port() {
  Close(Protocol::kArp);
  Close(Protocol::kNdp);
}

Port::Change Port::Configure(const Link& link, PortWants wants) {
  const bool was_ready = ready_;
  const bool same_mac = mac_ == link.mac;
  Change change;
  change.regrouped = wants_.announces != wants.announces;
  mac_ = link.mac;
  wants_ = std::move(wants);
  change.failure = SetOpen(Protocol::kArp, wants_.ipv4);
  if (const auto failure = SetOpen(Protocol::kNdp, wants_.ipv6)) change.failure = failure;
  if (groups_) {
    groups_->Want(wants_.suffixes);
    groups_pending_ = true;
  }
  ready_ = link.operational() && !change.failure;
  if (!ready_) queue_.Clear();
  change.restored = ready_ && (!was_ready || !same_mac);
  return change;
}

std::optional<Failure> Port::Serve(Protocol protocol, const AddressTable& table, ReceiveBatch& in, SendBatch& out) {
  PacketSocket& from = socket(protocol);
  if (!from.is_open()) return std::nullopt;
  for (int turn = 0; turn < kBatchesPerTurn; turn++) {
    const int received = in.Receive(from.fd());
    // Told once when the interface goes down; the socket works again when it comes up.
    if (received == -ENETDOWN) return std::nullopt;
    if (received < 0) {
      Close(protocol);
      ready_ = false;
      queue_.Clear();
      return Failure{Of(protocol).receive, -received};
    }
    const auto count = static_cast<size_t>(received);
    stats_.Add(Of(protocol).received, count);
    for (size_t i = 0; i < count; i++) {
      const DropReason reason = Answer(protocol, in.frame(i), table, out);
      if (reason != DropReason::kNone) stats_.Add(reason);
    }
    const SendBatch::Sent sent = out.Flush(from.fd());
    stats_.Add(Of(protocol).answered, sent.frames);
    stats_.Add(Counter::kSendFailures, sent.failures);
    // epoll reports the socket again if a frame came in meanwhile.
    if (count < kBatch) return std::nullopt;
    // Only a socket with many frames waiting can have lost some.
    stats_.Add(Counter::kKernelDrops, from.TakeDrops());
  }
  return std::nullopt;
}

void Port::Announce(const Announcement& announcement) {
  if (ready_ && Announces(announcement)) queue_.Add(announcement.address);
}

void Port::RetainAnnouncements(const AddressTable& table) {
  queue_.Retain([&](const IpAddress& address) {
    const Announcement* found = table.Find(address);
    return found != nullptr && Announces(*found);
  });
}

void Port::SendDue(Nanoseconds now, SendBatch& out) {
  std::array<DueAnnouncement, kBatch> due;
  const size_t count = queue_.Take(now, due);
  for (const Protocol protocol : {Protocol::kArp, Protocol::kNdp}) {
    for (const auto& [address, frame] : std::span(due).first(count)) {
      if ((frame == DueAnnouncement::Frame::kNeighborAdvertisement) != (protocol == Protocol::kNdp)) continue;
      if (protocol == Protocol::kNdp) {
        out.Add(BuildUnsolicitedAdvertisement(address, mac_));
      } else {
        const bool reply = frame == DueAnnouncement::Frame::kArpReply;
        out.Add(BuildGratuitousArp(reply ? ArpForm::kReply : ArpForm::kRequest, address, mac_));
      }
    }
    const SendBatch::Sent sent = out.Flush(socket(protocol).fd());
    stats_.Add(protocol == Protocol::kArp ? Counter::kGratuitousArpSent : Counter::kUnsolicitedNaSent, sent.frames);
    stats_.Add(Counter::kSendFailures, sent.failures);
  }
}

void Port::RejoinGroups() {
  if (!groups_) return;
  groups_->Rejoin();
  groups_pending_ = true;
}

bool Port::StepGroups(std::optional<Failure>& failure) {
  if (!groups_ || !groups_pending_) return false;
  groups_pending_ = groups_->Step(kGroupsPerTurn);
  if (groups_pending_) return true;
  std::optional<Failure> now;
  if (groups_->overflow()) now = Failure{"join so many solicited-node groups", ENOBUFS};
  if (groups_->failures() > 0) now = Failure{"join solicited-node groups", groups_->error()};
  stats_.Add(Counter::kGroupJoinFailures, groups_->failures());
  // Better than nothing: the interface lets solicitations in, though a snooping switch may not send them here.
  if (all_multicast_ != now.has_value() && socket(Protocol::kNdp).SetAllMulticast(now.has_value(), index_) == 0) {
    all_multicast_ = now.has_value();
  }
  if (now != group_failure_) failure = now;
  group_failure_ = now;
  return false;
}

std::optional<Failure> Port::SetOpen(Protocol protocol, bool open) {
  PacketSocket& target = socket(protocol);
  if (!open) Close(protocol);
  if (!open || target.is_open()) return std::nullopt;
  const char* operation = Of(protocol).open;
  if (const int error = target.Open(protocol, index_)) return Failure{operation, error};
  epoll_event interest{EPOLLIN, {.u64 = poll_.tokens[static_cast<size_t>(protocol)]}};
  if (epoll_ctl(poll_.epoll, EPOLL_CTL_ADD, target.fd(), &interest) != 0) {
    const int error = errno;
    target.Close();
    return Failure{operation, error};
  }
  if (protocol == Protocol::kNdp) groups_.emplace(index_);
  return std::nullopt;
}

void Port::Close(Protocol protocol) {
  PacketSocket& target = socket(protocol);
  if (!target.is_open()) return;
  stats_.Add(Counter::kKernelDrops, target.TakeDrops());
  // Explicitly: a process forked a moment ago may still hold a copy of the descriptor and keep it registered.
  epoll_ctl(poll_.epoll, EPOLL_CTL_DEL, target.fd(), nullptr);
  target.Close();
  if (protocol == Protocol::kNdp) {
    groups_.reset();
    groups_pending_ = false;
    all_multicast_ = false;
    group_failure_.reset();
  }
}

DropReason Port::Answer(Protocol protocol, const ReceivedFrame& frame, const AddressTable& table,
                        SendBatch& out) const {
  const View view{table, wants_.announces, mac_};
  DropReason reason;
  if (protocol == Protocol::kArp) {
    ArpFrame answer;
    reason = AnswerArp(frame, view, answer);
    if (reason == DropReason::kNone) out.Add(answer);
  } else {
    NdpFrame answer;
    reason = AnswerNdp(frame, view, answer);
    if (reason == DropReason::kNone) out.Add(answer);
  }
  return reason;
}

}  // namespace garpoon
