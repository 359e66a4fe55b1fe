#include "port.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace garpoon {
namespace {

// Before other sockets get their turn.
constexpr int kBatchesPerTurn = 8;
// Joins and leaves between two looks at the sockets: about a millisecond with thousands of groups.
constexpr size_t kGroupsPerTurn = 16;

struct Words {
  Counter received;
  Counter answered;
  Counter announced;
  const char* open;
  const char* filter;
  const char* receive;
};

constexpr std::array<Words, 2> kByProtocol = {{
    {Counter::kArpReceived, Counter::kArpAnswered, Counter::kGratuitousArpSent, "open ARP socket", "filter ARP",
     "receive ARP"},
    {Counter::kNdpReceived, Counter::kNdpAnswered, Counter::kUnsolicitedNaSent, "open NDP socket", "filter NDP",
     "receive NDP"},
}};

const Words& Of(Protocol protocol) { return kByProtocol[static_cast<size_t>(protocol)]; }

Protocol ProtocolOf(const IpAddress& address) {
  return address.family == Family::kIpv4 ? Protocol::kArp : Protocol::kNdp;
}

bool IsProbe(const DueAnnouncement& due) {
  return due.frame == DueAnnouncement::Frame::kArpProbe || due.frame == DueAnnouncement::Frame::kDadSolicitation;
}

void AddFrame(const DueAnnouncement& due, const MacAddress& own, SendBatch& out) {
  using Frame = DueAnnouncement::Frame;
  const auto& [address, frame, target] = due;
  switch (frame) {
    case Frame::kArpRequest:
      return out.Add(BuildGratuitousArp(ArpOperation::kRequest, address, own));
    case Frame::kArpReply:
      return out.Add(BuildGratuitousArp(ArpOperation::kReply, address, own));
    case Frame::kArpProbe:
      return out.Add(BuildArpProbe(address, own));
    case Frame::kUnicastArp:
      return out.Add(BuildUnicastArp(address, own, target.mac, target.address));
    case Frame::kNeighborAdvertisement:
      return out.Add(BuildUnsolicitedAdvertisement(address, own));
    case Frame::kDadSolicitation:
      return out.Add(BuildDadSolicitation(address, own));
    case Frame::kUnicastAdvertisement:
      return out.Add(BuildUnicastAdvertisement(address, own, target.mac, target.address));
  }
}

}  // namespace

PortWants WantsOf(const AddressTable& table, const Link& link, const Link* parent) {
  PortWants wants;
  wants.announces.resize(table.sets().size());
  bool one_set = true;  // whose suffixes are in order already
  for (size_t set = 0; set < wants.announces.size(); set++) {
    if (!BelongsTo(table.sets()[set], link, parent)) continue;
    wants.announces[set] = 1;
    wants.ipv4 = wants.ipv4 || table.Has(set, Family::kIpv4);
    wants.ipv6 = wants.ipv6 || table.Has(set, Family::kIpv6);
    const auto suffixes = table.SolicitedNodeSuffixes(set);
    one_set = wants.suffixes.empty();
    wants.suffixes.insert(wants.suffixes.end(), suffixes.begin(), suffixes.end());
  }
  if (one_set) return wants;
  std::ranges::sort(wants.suffixes);
  wants.suffixes.erase(std::unique(wants.suffixes.begin(), wants.suffixes.end()), wants.suffixes.end());
  return wants;
}

Port::Port(int interface_index, const Poll& poll, const AnnouncementSchedule& schedule, Stats& stats, Retire retire)
    : index_(interface_index), poll_(poll), stats_(stats), retire_(std::move(retire)), queue_(schedule) {}

Port::~Port() {
  Close(Protocol::kArp);
  Close(Protocol::kNdp);
}

Port::Change Port::Configure(const Link& link, PortWants wants, const FilterSet& filters) {
  const bool was_ready = ready_;
  const bool same_mac = mac_ == link.mac;
  Change change;
  change.regrouped = wants_.announces != wants.announces;
  mac_ = link.mac;
  wants_ = std::move(wants);
  change.failure = SetOpen(Protocol::kArp, wants_.ipv4, filters);
  if (const auto failure = SetOpen(Protocol::kNdp, wants_.ipv6, filters)) change.failure = failure;
  if (groups_) {
    groups_->Want(wants_.suffixes);
    groups_pending_ = true;
  }
  ready_ = link.operational() && !change.failure;
  if (!ready_) queue_.Clear();
  change.restored = ready_ && (!was_ready || !same_mac);
  return change;
}

void Port::Interrupt() {
  ready_ = false;
  queue_.Clear();
}

std::optional<Failure> Port::SetFilters(const FilterSet& filters) {
  std::optional<Failure> failure;
  for (const Protocol protocol : {Protocol::kArp, Protocol::kNdp}) {
    const auto& target = receiver(protocol).socket;
    if (target == nullptr) continue;
    if (const int error = Attach(target->fd(), protocol, filters[static_cast<size_t>(protocol)])) {
      failure = Fail(protocol, {Of(protocol).filter, error}).failure;
    }
  }
  return failure;
}

Port::Served Port::Serve(Protocol protocol, const Context& context, SendBatch& out, std::vector<Claim>& claims) {
  Receiver& from = receiver(protocol);
  if (from.socket == nullptr) return {};
  PacketRing& ring = from.socket->ring();
  Served served;
  bool silent = context.silent;
  for (int turn = 0; turn < kBatchesPerTurn; turn++) {
    size_t count = 0;
    ReceivedFrame frame;
    for (; count < kBatch && ring.Next(frame); count++) {
      const DropReason reason = silent ? DropReason::kSilent : Answer(protocol, frame, context, out, claims);
      if (reason != DropReason::kNone) stats_.Add(reason);
      ring.Release();
    }
    if (out.size() > 0 && context.is_silent_now()) {
      silent = true;
      for (size_t dropped = out.Clear(); dropped > 0; dropped--) stats_.Add(DropReason::kSilent);
    }
    const SendBatch::Sent sent = out.Flush(from.socket->fd());
    for (size_t i = 0; i < sent.frames; i++) batched_[i]->Add(AddressStats::Counter::kResponsesSent);
    served.frames += count;
    stats_.Add(Of(protocol).received, count);
    stats_.Add(Of(protocol).answered, sent.frames);
    // Whoever asked asks again.
    stats_.Add(Counter::kSendFailures, sent.failures);
    if (count < kBatch) break;
  }
  if (ring.TakeLoss()) stats_.Add(Counter::kKernelDrops, from.socket->TakeDrops());
  // Reported until it is taken. ENETDOWN when the interface goes down; the socket works again when it comes up.
  if (served.frames == 0) {
    ring.DropStrays();
    const int error = from.socket->TakeError();
    if (error != 0 && error != ENETDOWN) return Fail(protocol, {Of(protocol).receive, error});
  }
  served.busy = from.load.Add(context.now, served.frames);
  if (const int error = SetWaitedFor(protocol, !served.busy)) return Fail(protocol, {Of(protocol).receive, error});
  return served;
}

void Port::Announce(const Announcement& announcement, uint32_t rounds) {
  if (ready_ && Announces(announcement) && !announcement.held) queue_.Add(announcement.address, rounds);
}

void Port::Announce(const Announcement& announcement) {
  if (ready_ && Announces(announcement) && !announcement.held) queue_.Add(announcement.address);
}

void Port::Probe(const Announcement& announcement) {
  if (ready_ && Announces(announcement)) queue_.Probe(announcement.address);
}

void Port::Retain(const AddressTable& table) {
  queue_.Retain([&](const IpAddress& address) {
    const Announcement* found = table.Find(address);
    return found != nullptr && Announces(*found);
  });
}

void Port::SendDue(Nanoseconds now, const AddressTable& table, SendBatch& out) {
  std::array<DueAnnouncement, kBatch> taken;
  const std::span due = std::span(taken).first(queue_.Take(now, taken));
  // Each protocol's socket sends its own, in the order they were taken.
  for (const Protocol protocol : {Protocol::kArp, Protocol::kNdp}) {
    std::array<size_t, kBatch> mine;
    size_t count = 0;
    for (size_t i = 0; i < due.size(); i++) {
      if (ProtocolOf(due[i].address) != protocol) continue;
      const Announcement* const asked = Asked(due[i], table);
      if (asked == nullptr) continue;
      AddFrame(due[i], mac_, out);
      batched_[count] = &table.StatsOf(*asked);
      mine[count++] = i;
    }
    if (count == 0) continue;
    const SendBatch::Sent sent = out.Flush(receiver(protocol).socket->fd());
    size_t probes = 0;
    for (size_t i = 0; i < sent.frames; i++) {
      if (IsProbe(due[mine[i]])) {
        probes += 1;
      } else {
        batched_[i]->Add(AddressStats::Counter::kGratuitousSent);
      }
    }
    stats_.Add(Of(protocol).announced, sent.frames - probes);
    stats_.Add(Counter::kProbesSent, probes);
    stats_.Add(Counter::kSendFailures, sent.failures);
    // The interface is busy for a moment. Whatever else is wrong with it, netlink will tell.
    if (sent.error != ENOBUFS && sent.error != EAGAIN) continue;
    for (size_t i = count; i > sent.frames; i--) queue_.GiveBack({&due[mine[i - 1]], 1}, now);
  }
}

const Announcement* Port::Asked(const DueAnnouncement& due, const AddressTable& table) const {
  const Announcement* found = table.Find(due.address);
  return found != nullptr && Announces(*found) && (!found->held || IsProbe(due)) ? found : nullptr;
}

void Port::RejoinGroups() {
  if (!groups_) return;
  groups_->Rejoin();
  groups_pending_ = true;
}

Port::GroupStep Port::StepGroups() {
  GroupStep step;
  if (!groups_ || !groups_pending_) return step;
  groups_pending_ = step.more = groups_->Step(kGroupsPerTurn);
  if (step.more) return step;
  std::optional<Failure> now;
  if (groups_->overflow()) now = Failure{"join so many solicited-node groups", ENOBUFS};
  if (groups_->failures() > 0) now = Failure{"join solicited-node groups", groups_->error()};
  step.again = groups_->failures() > 0;
  stats_.Add(Counter::kGroupJoinFailures, groups_->failures());
  // Better than nothing: the interface lets solicitations in, though a snooping switch may not send them here.
  PacketSocket& solicited = *receiver(Protocol::kNdp).socket;
  if (all_multicast_ != now.has_value() && solicited.SetAllMulticast(now.has_value(), index_) == 0) {
    all_multicast_ = now.has_value();
  }
  if (now != group_failure_) step.failure = now;
  group_failure_ = now;
  return step;
}

std::optional<Failure> Port::SetOpen(Protocol protocol, bool open, const FilterSet& filters) {
  auto& target = receiver(protocol).socket;
  if (!open) Close(protocol);
  if (!open || target != nullptr) return std::nullopt;
  target = std::make_unique<PacketSocket>();
  int error = target->Open(protocol, index_, filters[static_cast<size_t>(protocol)]);
  if (error == 0) error = SetWaitedFor(protocol, true);
  if (error != 0) {
    Close(protocol);
    return Failure{Of(protocol).open, error};
  }
  if (protocol == Protocol::kNdp) groups_.emplace(index_);
  return std::nullopt;
}

int Port::SetWaitedFor(Protocol protocol, bool waited_for) {
  Receiver& target = receiver(protocol);
  if (target.waited_for == waited_for) return 0;
  epoll_event interest{EPOLLIN, {.u64 = poll_.tokens[static_cast<size_t>(protocol)]}};
  const int operation = waited_for ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
  if (epoll_ctl(poll_.epoll, operation, target.socket->fd(), &interest) != 0) return errno;
  target.waited_for = waited_for;
  return 0;
}

void Port::Close(Protocol protocol) {
  Receiver& target = receiver(protocol);
  if (target.socket == nullptr) return;
  if (target.socket->is_open()) stats_.Add(Counter::kKernelDrops, target.socket->TakeDrops());
  // Explicitly: a process forked a moment ago may still hold a copy of the descriptor and keep it registered.
  (void)SetWaitedFor(protocol, false);
  target.waited_for = false;
  target.load = {};
  retire_(std::move(target.socket));
  if (protocol == Protocol::kNdp) {
    groups_.reset();
    groups_pending_ = false;
    all_multicast_ = false;
    group_failure_.reset();
  }
}

Port::Served Port::Fail(Protocol protocol, const Failure& failure) {
  Close(protocol);
  Interrupt();
  return {0, false, failure};
}

DropReason Port::Answer(Protocol protocol, const ReceivedFrame& frame, const Context& context, SendBatch& out,
                        std::vector<Claim>& claims) {
  const View view{context.table, wants_.announces, mac_, context.own_macs};
  const auto take = [&](const auto& outcome) {
    if (outcome.answer) {
      AddressStats& stats = context.table.StatsOf(*outcome.answered);
      stats.Add(AddressStats::Counter::kRequestsReceived);
      batched_[out.size()] = &stats;
      out.Add(*outcome.answer);
    }
    if (outcome.claim) claims.push_back(*outcome.claim);
  };
  if (protocol == Protocol::kArp) {
    ArpOutcome outcome;
    const DropReason reason = AnswerArp(frame, view, outcome);
    take(outcome);
    return reason;
  }
  NdpOutcome outcome;
  const DropReason reason = AnswerNdp(frame, view, outcome);
  take(outcome);
  return reason;
}

}  // namespace garpoon
