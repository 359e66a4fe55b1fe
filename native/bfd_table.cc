#include "bfd_table.h"

#include <algorithm>
#include <array>

#include "bfd_entry.h"

namespace garpoon {
namespace {

constexpr Nanoseconds kSoon = 5 * kMillisecond;

}  // namespace

BfdTable::BfdTable(BfdEnvironment& environment, std::shared_ptr<BfdReport> unclaimed)
    : environment_(environment),
      unclaimed_(std::move(unclaimed)),
      echo_key_{environment.Random(), environment.Random()} {}

BfdTable::~BfdTable() = default;

void BfdTable::Apply(std::vector<BfdWish> wishes, Nanoseconds now) {
  std::unordered_map<std::string, const BfdSettings*> wanted;
  for (const BfdWish& wish : wishes) wanted.emplace(wish.settings.id, &wish.settings);
  std::vector<Entry*> unwanted;
  for (const auto& [id, entry] : by_id_) {
    const auto found = wanted.find(id);
    if (found == wanted.end() || !SameSession(entry->settings, *found->second)) unwanted.push_back(entry);
  }
  for (Entry* const entry : unwanted) Retire(*entry, now);
  for (BfdWish& wish : wishes) {
    const auto found = by_id_.find(wish.settings.id);
    if (found == by_id_.end()) {
      Create(std::move(wish), now);
    } else if (found->second->settings != wish.settings) {
      Change(*found->second, std::move(wish), now);
    }
  }
}

void BfdTable::Hold(bool held, Nanoseconds now) {
  if (held_ == held) return;
  held_ = held;
  for (const auto& [id, entry] : by_id_) {
    if (!entry->settings.tied_to_lease) continue;
    entry->session.Hold(held, now);
    Observe(*entry);
    Advance(*entry, now);
  }
}

void BfdTable::FollowInterfaces() {
  for (const auto& [id, entry] : by_id_) {
    const std::string& name = entry->settings.peer.interface;
    if (name.empty()) continue;
    const int index = environment_.InterfaceIndex(name);
    if (index == entry->interface_index) continue;
    entry->interface_index = index;
    environment_.Forget(entry->session.discriminator());  // its socket is bound to the old one
  }
}

BfdDrop BfdTable::Receive(const BfdDatagram& datagram, Nanoseconds now) {
  BfdReception reception;
  BfdDrop drop = ParseBfd(datagram.payload, reception);
  Entry* const entry = drop == BfdDrop::kNone ? Select(datagram, reception.packet, drop) : nullptr;
  if (entry == nullptr) {
    unclaimed_->Add(drop);
    return drop;
  }
  if (drop == BfdDrop::kNone && datagram.ttl < entry->settings.minimum_ttl) drop = BfdDrop::kTtlTooLow;
  if (drop == BfdDrop::kNone) drop = entry->session.Receive(reception, now);
  if (drop != BfdDrop::kNone) {
    entry->report->Add(drop);
    return drop;
  }
  entry->report->Add(BfdField::kReceived);
  LearnEchoPath(*entry, datagram, now);
  Observe(*entry);
  Advance(*entry, now);
  return drop;
}

void BfdTable::RunDue(Nanoseconds now) {
  if (Deadline() > now) return;
  NoteDelay(now);
  bool taken = false;
  while (Deadline() <= now) {
    Entry& entry = *due_.begin()->second;
    if (!taken && std::min(entry.session.DetectAt(), entry.session.EchoDetectAt()) <= now) {
      // It may have spoken while we were busy. What has come moves its deadline.
      taken = true;
      environment_.TakeArrived();
      continue;
    }
    if (entry.leaves_at <= now) {
      Destroy(entry);
      continue;
    }
    Judge(entry, now);
    JudgeEcho(entry, now);
    Transmit(entry, now);
    TransmitEcho(entry, now);
    Observe(entry);
    Rearm(entry, std::max(DeadlineOf(entry), now + 1));
  }
  SendEarly(now);
}

// What would be sent in a moment goes out with what is due: to wake for each costs more than all the rest, here and
// where they arrive.
void BfdTable::SendEarly(Nanoseconds now) {
  std::vector<Entry*> early;
  for (const auto& [at, entry] : due_) {
    if (at > now + kSoon) break;
    if (entry->session.MaySend(now) || entry->session.MayEcho(now)) early.push_back(entry);
  }
  for (Entry* const entry : early) {
    if (entry->session.MaySend(now)) Transmit(*entry, now);
    TransmitEcho(*entry, now);
    Rearm(*entry, std::max(DeadlineOf(*entry), now + 1));
  }
}

void BfdTable::Close(Nanoseconds now) {
  while (!by_id_.empty()) Retire(*by_id_.begin()->second, now);
  for (const auto& [discriminator, entry] : by_discriminator_) environment_.Forget(discriminator);
  due_.clear();
  by_discriminator_.clear();
}

void BfdTable::Create(BfdWish wish, Nanoseconds now) {
  DestroyLeaving(wish.settings.peer);
  const uint32_t discriminator = NewDiscriminator();
  const BfdSession::Chance chance{discriminator, static_cast<uint32_t>(environment_.Random()), environment_.Random()};
  BfdSession session(wish.settings.parameters, wish.settings.keyring, chance, now);
  auto owned = std::make_unique<Entry>(Entry{std::move(wish.settings), std::move(wish.report), std::move(session)});
  Entry& entry = *owned;
  by_discriminator_.emplace(discriminator, std::move(owned));
  by_id_.emplace(entry.settings.id, &entry);
  by_peer_.emplace(entry.settings.peer.address, &entry);
  const std::string& interface = entry.settings.peer.interface;
  if (!interface.empty()) entry.interface_index = environment_.InterfaceIndex(interface);
  if (entry.settings.tied_to_lease) {
    tied_ += 1;
    entry.session.Hold(held_, now);
  }
  entry.report->Set(BfdField::kSince, environment_.WallTime());
  Observe(entry);
  Advance(entry, now);
}

void BfdTable::Change(Entry& entry, BfdWish wish, Nanoseconds now) {
  if (entry.settings.tied_to_lease != wish.settings.tied_to_lease) {
    wish.settings.tied_to_lease ? tied_++ : tied_--;
    entry.session.Hold(held_ && wish.settings.tied_to_lease, now);
  }
  entry.settings = std::move(wish.settings);
  entry.report = std::move(wish.report);
  entry.session.SetKeys(entry.settings.keyring);
  entry.session.Change(entry.settings.parameters, now);
  Observe(entry);
  Advance(entry, now);
}

void BfdTable::Retire(Entry& entry, Nanoseconds now) {
  by_id_.erase(entry.settings.id);
  const auto [first, last] = by_peer_.equal_range(entry.settings.peer.address);
  by_peer_.erase(std::find_if(first, last, [&entry](const auto& each) { return each.second == &entry; }));
  if (entry.settings.tied_to_lease) tied_ -= 1;
  entry.leaves_at = entry.session.SwitchOff(now);
  Transmit(entry, now);
  // Its report may be another session's by now.
  entry.report = std::make_shared<BfdReport>();
  Advance(entry, now);
}

void BfdTable::Destroy(Entry& entry) {
  const uint32_t discriminator = entry.session.discriminator();
  due_.erase({entry.armed_for, &entry});
  environment_.Forget(discriminator);
  by_discriminator_.erase(discriminator);
}

// One that takes its leave from the same peer would be taken for the new one there.
void BfdTable::DestroyLeaving(const BfdPeer& peer) {
  if (by_discriminator_.size() == by_id_.size()) return;
  std::vector<Entry*> leaving;
  for (const auto& [discriminator, entry] : by_discriminator_) {
    if (entry->leaves_at != kNever && entry->settings.peer == peer) leaving.push_back(entry.get());
  }
  for (Entry* const entry : leaving) Destroy(*entry);
}

// Null with `drop` set when the packet is nobody's. A session that is named by someone else gets to count it.
BfdTable::Entry* BfdTable::Select(const BfdDatagram& datagram, const BfdPacket& packet, BfdDrop& drop) {
  if (packet.your_discriminator != 0) {
    const auto found = by_discriminator_.find(packet.your_discriminator);
    if (found == by_discriminator_.end()) {
      drop = BfdDrop::kUnknownDiscriminator;
      return nullptr;
    }
    if (!IsFrom(*found->second, datagram)) drop = BfdDrop::kWrongPeer;
    return found->second.get();
  }
  const auto [first, last] = by_peer_.equal_range(datagram.source);
  Entry* chosen = nullptr;
  for (auto each = first; each != last; ++each) {
    if (!IsFrom(*each->second, datagram)) continue;
    // The one that names the interface, rather than the one that takes any.
    if (chosen == nullptr || chosen->settings.peer.interface.empty()) chosen = each->second;
  }
  if (chosen == nullptr) drop = BfdDrop::kUnknownPeer;
  return chosen;
}

bool BfdTable::IsFrom(const Entry& entry, const BfdDatagram& datagram) {
  const BfdSettings& settings = entry.settings;
  return datagram.source == settings.peer.address && datagram.port == settings.peer.listen_port &&
         (!settings.local || *settings.local == datagram.destination) &&
         (settings.peer.interface.empty() || entry.interface_index == datagram.interface_index);
}

// The timer was set to the first deadline: whatever has passed since is our own delay.
void BfdTable::NoteDelay(Nanoseconds now) {
  const Nanoseconds late = now - Deadline();
  if (late < late_by_ && now - late_until_ <= late_by_) return;
  late_by_ = late;
  late_until_ = now;
}

bool BfdTable::WasLate(Nanoseconds by, Nanoseconds now) const { return now - late_until_ <= late_by_ && late_by_ > by; }

// A peer is not to be blamed for our own delay: when that was more than half of its time, it gets one more interval.
// Not again before it is heard, so that one that is gone is given up, however late we always are.
void BfdTable::Judge(Entry& entry, Nanoseconds now) {
  BfdSession& session = entry.session;
  if (session.DetectAt() > now) return;
  const bool alive = session.state() == BfdState::kInit || session.state() == BfdState::kUp;
  if (alive && WasLate(session.DetectionTime() / 2, now) && session.Excuse(now)) {
    entry.report->Add(BfdField::kExcused);
    return;
  }
  session.Expire(now);
}

void BfdTable::Transmit(Entry& entry, Nanoseconds now) {
  std::array<uint8_t, kBfdLongestPacket> packet;
  const size_t size = entry.session.Send(now, packet);
  if (size == 0) return;
  const bool sent = environment_.Send(entry.session.discriminator(), entry.settings, std::span(packet).first(size));
  entry.report->Add(sent ? BfdField::kSent : BfdField::kSendFailures);
}

// Tells of a change of state, and reports the rest.
void BfdTable::Observe(Entry& entry) {
  if (entry.leaves_at != kNever) return;
  const BfdSession& session = entry.session;
  BfdReport& report = *entry.report;
  report.Set(BfdField::kState, static_cast<uint64_t>(session.state()));
  report.Set(BfdField::kDiagnostic, static_cast<uint64_t>(session.diagnostic()));
  report.Set(BfdField::kRemoteState, static_cast<uint64_t>(session.remote_state()));
  report.Set(BfdField::kRemoteDiagnostic, static_cast<uint64_t>(session.remote_diagnostic()));
  report.Set(BfdField::kDiscriminator, session.discriminator());
  report.Set(BfdField::kRemoteDiscriminator, session.remote_discriminator());
  report.Set(BfdField::kTransmitInterval, session.TransmitInterval());
  report.Set(BfdField::kReceiveInterval, session.ReceiveInterval());
  report.Set(BfdField::kDetectionTime, session.DetectionTime());
  ObserveEcho(entry);
  if (session.state() == entry.told_state) return;
  if (entry.told_state == BfdState::kUp) report.Add(BfdField::kFlaps);
  entry.told_state = session.state();
  const uint64_t at = environment_.WallTime();
  report.Set(BfdField::kSince, at);
  environment_.Tell({entry.settings.id, session.state(), session.diagnostic(), session.remote_state(),
                     session.remote_diagnostic(), at});
}

void BfdTable::Advance(Entry& entry, Nanoseconds now) {
  const Nanoseconds deadline = std::max(DeadlineOf(entry), now);
  if (deadline < entry.armed_for) Rearm(entry, deadline);
}

void BfdTable::Rearm(Entry& entry, Nanoseconds at) {
  if (at == entry.armed_for) return;
  auto node = due_.extract({entry.armed_for, &entry});
  entry.armed_for = at;
  if (at == kNever) return;
  if (node.empty()) {
    due_.emplace(at, &entry);
  } else {
    node.value() = {at, &entry};
    due_.insert(std::move(node));
  }
}

Nanoseconds BfdTable::DeadlineOf(const Entry& entry) { return std::min(entry.session.Deadline(), entry.leaves_at); }

uint32_t BfdTable::NewDiscriminator() {
  for (;;) {
    const auto discriminator = static_cast<uint32_t>(environment_.Random());
    if (discriminator != 0 && !by_discriminator_.contains(discriminator)) return discriminator;
  }
}

}  // namespace garpoon
