#include "announcement_queue.h"

#include <algorithm>

namespace garpoon {
namespace {

// When the pace is used up, wait for this many frames at once: a wake-up for each would cost more than the frame.
constexpr size_t kChunk = 8;

}  // namespace

void AnnouncementQueue::Add(const IpAddress& address) {
  const uint32_t rounds =
      address.family == Family::kIpv6 ? std::min(schedule_.rounds, kMaxAdvertisements) : schedule_.rounds;
  if (rounds == 0) return;
  const auto [found, added] = owed_.try_emplace(address);
  // Still waiting for its first frame: a second ticket would only make it go out twice.
  if (!added && !found->second.started) return;
  found->second = {rounds, ++generation_, false};
  first_.push_back({address, generation_, 0});
}

void AnnouncementQueue::Clear() {
  owed_.clear();
  first_.clear();
  second_.clear();
  repeats_ = {};
}

size_t AnnouncementQueue::Take(Nanoseconds now, std::span<DueAnnouncement> out) {
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

Nanoseconds AnnouncementQueue::Deadline() {
  DropStale();
  const size_t waiting = first_.size() + second_.size();
  if (waiting == 0 && repeats_.empty()) return kNever;
  const Nanoseconds head_start = schedule_.burst * PerFrame();
  const Nanoseconds needed = std::clamp<size_t>(waiting, 1, std::min<size_t>(kChunk, schedule_.burst)) * PerFrame();
  const Nanoseconds paced = paced_until_ + needed > head_start ? paced_until_ + needed - head_start : 0;
  return waiting > 0 ? paced : std::max(paced, repeats_.top().due);
}

bool AnnouncementQueue::IsCurrent(const Ticket& ticket) const {
  const auto found = owed_.find(ticket.address);
  return found != owed_.end() && found->second.generation == ticket.generation;
}

void AnnouncementQueue::DropStale() {
  while (!first_.empty() && !IsCurrent(first_.front())) first_.pop_front();
  while (!second_.empty() && !IsCurrent(second_.front())) second_.pop_front();
  while (!repeats_.empty() && !IsCurrent(repeats_.top())) repeats_.pop();
}

bool AnnouncementQueue::TakeOne(Nanoseconds now, DueAnnouncement& out) {
  DropStale();
  if (!first_.empty()) {
    const Ticket ticket = first_.front();
    first_.pop_front();
    out = BeginRound(ticket, now);
    return true;
  }
  if (!second_.empty()) {
    const Ticket ticket = second_.front();
    second_.pop_front();
    out = {ticket.address, DueAnnouncement::Frame::kArpReply};
    EndRound(ticket, now);
    return true;
  }
  if (repeats_.empty() || repeats_.top().due > now) return false;
  const Ticket ticket = repeats_.top();
  repeats_.pop();
  out = BeginRound(ticket, now);
  return true;
}

DueAnnouncement AnnouncementQueue::BeginRound(const Ticket& ticket, Nanoseconds now) {
  owed_.find(ticket.address)->second.started = true;
  if (ticket.address.family == Family::kIpv4) {
    second_.push_back(ticket);
    return {ticket.address, DueAnnouncement::Frame::kArpRequest};
  }
  EndRound(ticket, now);
  return {ticket.address, DueAnnouncement::Frame::kNeighborAdvertisement};
}

void AnnouncementQueue::EndRound(const Ticket& ticket, Nanoseconds now) {
  const auto found = owed_.find(ticket.address);
  found->second.rounds -= 1;
  if (found->second.rounds == 0) {
    owed_.erase(found);
    return;
  }
  const Nanoseconds interval = ticket.address.family == Family::kIpv6
                                   ? std::max(schedule_.interval, kMinAdvertisementInterval)
                                   : schedule_.interval;
  repeats_.push({ticket.address, ticket.generation, now + interval});
}

}  // namespace garpoon
