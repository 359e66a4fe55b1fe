#include "announcement_queue.h"

#include <algorithm>
#include <functional>

namespace garpoon {
namespace {

// When the pace is used up, wait for this many frames at once: a wake-up for each would cost more than the frame.
constexpr size_t kChunk = 8;

// Stale tickets are swept out when there are more than this. Three of an address can count.
constexpr size_t TicketLimit(size_t addresses) { return 4 * addresses + 64; }

// The frames of a round that go to everyone.
constexpr uint32_t Forms(Family family) { return family == Family::kIpv4 ? 2 : 1; }

}  // namespace

void AnnouncementQueue::Add(const IpAddress& address, uint32_t rounds) {
  if (address.family == Family::kIpv6) rounds = std::min(rounds, kMaxAdvertisements);
  if (rounds == 0) return;
  Owed& owed = owed_[address];
  owed.rounds = std::max(owed.rounds, rounds);
  if (owed.fresh) return;  // it keeps its place
  owed.fresh = true;
  owed.round = ++last_number_;
  owed.unicast = 0;
  owed.passes = 0;
  lane(Lane::kFresh).push_back({owed.round, address});
  DropStale();
}

void AnnouncementQueue::Probe(const IpAddress& address) {
  Owed& owed = owed_[address];
  if (owed.probes == kProbes) return;  // none is out yet: it keeps its place
  owed.probes = kProbes;
  owed.probe = ++last_number_;
  lane(Lane::kProbe).push_back({owed.probe, address});
  DropStale();
}

void AnnouncementQueue::SetUnicastTargets(const std::vector<UnicastTarget>& targets) {
  ipv4_targets_.clear();
  ipv6_targets_.clear();
  for (const UnicastTarget& target : std::span(targets).first(std::min(targets.size(), kMaxUnicastTargets))) {
    (target.address.family == Family::kIpv4 ? ipv4_targets_ : ipv6_targets_).push_back(target);
  }
}

void AnnouncementQueue::Forget(const IpAddress& address) {
  if (owed_.erase(address) == 0) return;
  if (!returned_.empty()) std::erase_if(returned_, [&](const auto& frame) { return frame.address == address; });
  DropStale();
}

void AnnouncementQueue::Clear() {
  owed_.clear();
  for (auto& tickets : lanes_) tickets.clear();
  ended_.clear();
  later_.clear();
  gathered_.clear();
  returned_.clear();
}

size_t AnnouncementQueue::Take(Nanoseconds now, std::span<DueAnnouncement> out) {
  if (now < blocked_until_) return 0;
  Promote(now);
  size_t count = 0;
  while (count < out.size()) {
    const Nanoseconds from = std::max(paced_until_, now);
    if (from - now > (schedule_.burst - 1) * PerFrame()) break;
    if (!TakeOne(now, out[count])) break;
    paced_until_ = from + PerFrame();
    count += 1;
  }
  return count;
}

void AnnouncementQueue::GiveBack(std::span<const DueAnnouncement> unsent, Nanoseconds now) {
  if (unsent.empty()) return;
  returned_.insert(returned_.begin(), unsent.begin(), unsent.end());
  paced_until_ -= std::min(paced_until_, unsent.size() * PerFrame());
  blocked_until_ = now + kBackoff;
  DropStale();
}

Nanoseconds AnnouncementQueue::Deadline() {
  const bool ready = !returned_.empty() || NextLane();
  while (!later_.empty() && !IsCurrent(later_.front().ticket)) PopTimer();
  if (!ready && later_.empty()) return kNever;
  const Nanoseconds head_start = schedule_.burst * PerFrame();
  const Nanoseconds needed = std::clamp<size_t>(Waiting(), 1, std::min<size_t>(kChunk, schedule_.burst)) * PerFrame();
  const Nanoseconds paced = paced_until_ + needed > head_start ? paced_until_ + needed - head_start : 0;
  return std::max({blocked_until_, paced, ready ? 0 : later_.front().due});
}

Nanoseconds AnnouncementQueue::Interval(Family family) const {
  return family == Family::kIpv6 ? std::max(schedule_.interval, kMinAdvertisementInterval) : schedule_.interval;
}

// A quarter more or less, so that addresses that were added together drift apart.
Nanoseconds AnnouncementQueue::RefreshDelay() {
  const Nanoseconds shortest = schedule_.refresh - schedule_.refresh / 4;
  return std::max(shortest + random_() % (schedule_.refresh / 2 + 1), kMinAdvertisementInterval);
}

uint64_t AnnouncementQueue::Random::operator()() {
  state += 0x9e3779b97f4a7c15ULL;
  uint64_t mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31);
}

// How many wait for nothing but the pace, stale tickets included.
size_t AnnouncementQueue::Waiting() const {
  size_t count = returned_.size() + gathered_.size();
  for (const auto& tickets : lanes_) count += tickets.size();
  return count;
}

bool AnnouncementQueue::IsCurrent(const Ticket& ticket) const {
  const auto found = owed_.find(ticket.address);
  return found != owed_.end() && found->second.Has(ticket.number);
}

// Also ends passes that have come to the end of the targets, or find it nearer than it was.
bool AnnouncementQueue::HasFrame(Ticket& ticket) {
  const auto found = owed_.find(ticket.address);
  if (found == owed_.end() || !found->second.Has(ticket.number)) return false;
  const uint32_t forms = Forms(ticket.address.family);
  while (ticket.step >= forms + targets(ticket.address.family).size()) {
    found->second.passes -= 1;
    if (found->second.passes == 0) {
      found->second.unicast = 0;
      ForgetIfDone(found);
      return false;
    }
    ticket.step = forms;
  }
  return true;
}

bool AnnouncementQueue::IsReady(Lane which) {
  std::deque<Ticket>& tickets = lane(which);
  while (!tickets.empty() && !HasFrame(tickets.front())) tickets.pop_front();
  return !tickets.empty();
}

std::optional<AnnouncementQueue::Lane> AnnouncementQueue::NextLane() {
  for (const Lane which : {Lane::kProbe, Lane::kFresh, Lane::kSecond}) {
    if (IsReady(which)) return which;
  }
  const bool repeat = IsReady(Lane::kRepeat) || BeginWave();
  if (IsReady(Lane::kUnicast) && (unicast_turn_ || !repeat)) return Lane::kUnicast;
  if (repeat) return Lane::kRepeat;
  if (IsReady(Lane::kRefresh)) return Lane::kRefresh;
  return std::nullopt;
}

// When no round is under way.
bool AnnouncementQueue::BeginWave() {
  for (const Ticket& ticket : ended_) Later(ended_at_ + Interval(ticket.address.family), Lane::kRepeat, ticket);
  ended_.clear();
  std::shuffle(gathered_.begin(), gathered_.end(), random_);
  lane(Lane::kRepeat).assign(gathered_.begin(), gathered_.end());
  gathered_.clear();
  return IsReady(Lane::kRepeat);
}

void AnnouncementQueue::DropStale() {
  if (kept() <= TicketLimit(owed_.size())) return;
  const auto stale = [this](const Ticket& ticket) { return !IsCurrent(ticket); };
  for (auto& tickets : lanes_) std::erase_if(tickets, stale);
  std::erase_if(ended_, stale);
  std::erase_if(gathered_, stale);
  std::erase_if(later_, [&stale](const Timer& timer) { return stale(timer.ticket); });
  std::ranges::make_heap(later_, std::greater<>());
}

void AnnouncementQueue::Later(Nanoseconds due, Lane which, const Ticket& ticket) {
  later_.push_back({due, which, ticket});
  std::ranges::push_heap(later_, std::greater<>());
}

AnnouncementQueue::Timer AnnouncementQueue::PopTimer() {
  std::ranges::pop_heap(later_, std::greater<>());
  const Timer timer = later_.back();
  later_.pop_back();
  return timer;
}

void AnnouncementQueue::Promote(Nanoseconds now) {
  while (!later_.empty() && later_.front().due <= now) {
    const Timer timer = PopTimer();
    if (timer.lane == Lane::kRepeat) {
      gathered_.push_back(timer.ticket);
    } else {
      lane(timer.lane).push_back(timer.ticket);
    }
  }
}

bool AnnouncementQueue::TakeOne(Nanoseconds now, DueAnnouncement& out) {
  if (!returned_.empty()) {
    out = TakeReturned(now);
    return true;
  }
  const std::optional<Lane> which = NextLane();
  if (!which) return false;
  unicast_turn_ = *which != Lane::kUnicast;
  const Ticket ticket = lane(*which).front();
  lane(*which).pop_front();
  out = FrameOf(*which, ticket);
  Advance(*which, ticket, now);
  return true;
}

// A frame that goes out late moves what comes an interval after it.
DueAnnouncement AnnouncementQueue::TakeReturned(Nanoseconds now) {
  using Frame = DueAnnouncement::Frame;
  const DueAnnouncement due = returned_.front();
  returned_.pop_front();
  const auto found = owed_.find(due.address);
  if (found == owed_.end()) return due;
  Owed& owed = found->second;
  if (due.frame == Frame::kArpProbe || due.frame == Frame::kDadSolicitation) {
    if (owed.probes == 0 || owed.probes == kProbes) return due;
    owed.probe = ++last_number_;
    Later(now + kProbeInterval, Lane::kProbe, {owed.probe, due.address});
  } else if (due.frame == Frame::kArpReply || due.frame == Frame::kNeighborAdvertisement) {
    if (owed.rounds == 0 || owed.fresh) return due;
    owed.round = ++last_number_;
    ended_.push_back({owed.round, due.address});
    ended_at_ = now;
  }
  return due;
}

DueAnnouncement AnnouncementQueue::FrameOf(Lane which, const Ticket& ticket) const {
  using Frame = DueAnnouncement::Frame;
  const bool ipv4 = ticket.address.family == Family::kIpv4;
  const uint32_t forms = Forms(ticket.address.family);
  if (which == Lane::kProbe) return {ticket.address, ipv4 ? Frame::kArpProbe : Frame::kDadSolicitation};
  if (ticket.step >= forms) {
    return {ticket.address, ipv4 ? Frame::kUnicastArp : Frame::kUnicastAdvertisement,
            targets(ticket.address.family)[ticket.step - forms]};
  }
  if (!ipv4) return {ticket.address, Frame::kNeighborAdvertisement};
  return {ticket.address, ticket.step == 0 ? Frame::kArpRequest : Frame::kArpReply};
}

// Gives the ticket its next place after its frame was taken.
void AnnouncementQueue::Advance(Lane which, const Ticket& ticket, Nanoseconds now) {
  const auto entry = owed_.find(ticket.address);
  if (which == Lane::kProbe) return EndProbe(entry, ticket, now);
  const uint32_t forms = Forms(ticket.address.family);
  const Ticket next{ticket.number, ticket.address, ticket.step + 1};
  if (ticket.step >= forms) {
    // Behind the other addresses: the first target hears of all of them before the second hears of one.
    lane(which).push_back(next);
    return;
  }
  entry->second.fresh = false;
  if (next.step == forms) return EndRound(entry, ticket, now);
  lane(which == Lane::kRefresh ? which : Lane::kSecond).push_back(next);
}

void AnnouncementQueue::EndProbe(OwedEntry entry, const Ticket& ticket, Nanoseconds now) {
  entry->second.probes -= 1;
  if (entry->second.probes > 0) {
    Later(now + kProbeInterval, Lane::kProbe, ticket);
    return;
  }
  entry->second.probe = 0;
  ForgetIfDone(entry);
}

void AnnouncementQueue::EndRound(OwedEntry entry, const Ticket& ticket, Nanoseconds now) {
  Owed& owed = entry->second;
  AddPass(owed, ticket.address);
  if (owed.rounds > 0) owed.rounds -= 1;
  const Ticket again{ticket.number, ticket.address};
  if (owed.rounds > 0) {
    ended_.push_back(again);
    ended_at_ = now;
  } else if (schedule_.refresh > 0) {
    Later(now + RefreshDelay(), Lane::kRefresh, again);
  } else {
    owed.round = 0;
    ForgetIfDone(entry);
  }
}

void AnnouncementQueue::AddPass(Owed& owed, const IpAddress& address) {
  const bool refresh = owed.rounds == 0;
  if (targets(address.family).empty()) return;
  // Targets that take longer than the time between two refreshes must not pile up.
  if (refresh && owed.passes > 0) return;
  owed.passes += 1;
  if (owed.passes > 1) return;
  owed.unicast = ++last_number_;
  lane(refresh ? Lane::kRefresh : Lane::kUnicast).push_back({owed.unicast, address, Forms(address.family)});
}

void AnnouncementQueue::ForgetIfDone(OwedEntry entry) {
  if (entry->second.nothing()) owed_.erase(entry);
}

}  // namespace garpoon
