#include "bfd_session.h"

#include <algorithm>
#include <utility>

namespace garpoon {
namespace {

// How much sooner than meant a packet may go out together with others, which saves waking for it.
constexpr Nanoseconds kEarlyPart = 20;  // of the interval
constexpr Nanoseconds kMostEarly = 5 * kMillisecond;
constexpr uint32_t kSlowTx = 1'000'000;  // at least, while the session is not Up: section 6.8.3
constexpr uint32_t kSlowRx = 1'000'000;  // at least, while echo packets tell of the path: section 6.8.3, too
constexpr Nanoseconds kTrialInterval = 1'000 * kMillisecond;

Nanoseconds Early(Nanoseconds interval) { return std::min(interval / kEarlyPart, kMostEarly); }

}  // namespace

BfdSession::BfdSession(const BfdParameters& parameters, BfdKeyring keyring, const Chance& chance, Nanoseconds now)
    : parameters_(parameters),
      authenticator_(chance.first_sequence),
      discriminator_(chance.discriminator),
      random_(chance.seed),
      advertised_tx_(std::max(parameters.desired_min_tx, kSlowTx)),
      advertised_rx_(parameters.required_min_rx),
      used_tx_(advertised_tx_),
      used_rx_(advertised_rx_),
      poll_next_(now),
      next_send_(now) {
  authenticator_.SetKeys(std::move(keyring));
}

// From "If the A bit is set" on, in the order of section 6.8.6.
BfdDrop BfdSession::Receive(const BfdReception& reception, Nanoseconds now) {
  // bfd.AuthSeqKnown, section 6.8.1.
  if (now - heard_at_ >= 2 * DetectionTime()) authenticator_.ForgetSequence();
  const BfdDrop drop = authenticator_.Verify(reception);
  if (drop != BfdDrop::kNone) return drop;

  const BfdPacket& packet = reception.packet;
  const Nanoseconds interval = TransmitInterval();
  const bool periodic = IsPeriodic();
  const bool demanded = demanding();
  remote_ = {packet.state,          packet.diagnostic,           packet.my_discriminator,  packet.required_min_rx,
             packet.desired_min_tx, packet.required_min_echo_rx, packet.detect_multiplier, packet.demand};
  heard_at_ = now;
  excused_ = false;
  // A Final that comes before the Poll is out answers an earlier one.
  if (packet.final && polling_ && poll_sent_) EndPoll(now);
  if (state_ == BfdState::kAdminDown) return BfdDrop::kAdminDown;
  Advance(packet.state, now);
  FollowEcho(now);
  if (demanding() && !demanded) {
    // A poll that has gone unanswered up to now says nothing about a peer that has just been heard.
    poll_since_ = now;
    poll_next_ = now;
  }
  if (TransmitInterval() != interval || IsPeriodic() != periodic) Reschedule(now);
  if (packet.poll) answer_poll_ = true;
  return BfdDrop::kNone;
}

void BfdSession::Advance(BfdState heard, Nanoseconds now) {
  if (heard == BfdState::kAdminDown) {
    if (state_ != BfdState::kDown) Enter(BfdState::kDown, BfdDiagnostic::kNeighborSignaledDown, now);
    return;
  }
  switch (state_) {
    case BfdState::kAdminDown:
      return;
    case BfdState::kDown:
      if (held_) return;
      if (heard == BfdState::kDown) Enter(BfdState::kInit, diagnostic_, now);
      if (heard == BfdState::kInit) Enter(BfdState::kUp, BfdDiagnostic::kNone, now);
      return;
    case BfdState::kInit:
      if (heard != BfdState::kDown) Enter(BfdState::kUp, BfdDiagnostic::kNone, now);
      return;
    case BfdState::kUp:
      if (heard == BfdState::kDown) Enter(BfdState::kDown, BfdDiagnostic::kNeighborSignaledDown, now);
      return;
  }
}

void BfdSession::Change(const BfdParameters& parameters, Nanoseconds now) {
  if (parameters == parameters_) return;
  const bool demand_changed = parameters.demand != parameters_.demand;
  parameters_ = parameters;
  changed_ = true;
  if (demand_changed) {
    RequestPoll();
    if (state_ == BfdState::kUp) heard_at_ = now;  // it may have been silent because it was told to
  }
  FollowEcho(now);
  Advertise(now);
}

void BfdSession::Hold(bool held, Nanoseconds now) {
  if (held_ == held) return;
  held_ = held;
  if (!held || state_ == BfdState::kAdminDown) return;
  if (state_ != BfdState::kDown) return Enter(BfdState::kDown, BfdDiagnostic::kForwardingPlaneReset, now);
  diagnostic_ = BfdDiagnostic::kForwardingPlaneReset;
  changed_ = true;
}

void BfdSession::OfferEcho(bool offered) {
  if (offered == echo_offered_) return;
  echo_offered_ = offered;
  changed_ = true;
}

Nanoseconds BfdSession::SwitchOff(Nanoseconds now) {
  if (state_ != BfdState::kAdminDown) Enter(BfdState::kAdminDown, BfdDiagnostic::kAdministrativelyDown, now);
  if (!MayTransmit()) return now;
  constexpr Nanoseconds kLongest = 10'000 * kMillisecond;
  return now + std::min(parameters_.detect_multiplier * TransmitInterval(), kLongest);
}

Nanoseconds BfdSession::Deadline() const {
  Nanoseconds next = std::min({DetectAt(), EchoDetectAt(), echo_.NextSend()});
  if (demanding() && !polling_) next = std::min(next, poll_next_);
  if (!MayTransmit()) return next;
  if (answer_poll_ || changed_) return 0;
  return IsPeriodic() ? std::min(next, next_send_) : next;
}

Nanoseconds BfdSession::DetectAt() const {
  if (remote_.discriminator == 0 || state_ == BfdState::kAdminDown) return kNever;
  if (demanding()) {
    return polling_ && poll_sent_ ? std::max(poll_since_ + DetectionTime(), excused_until_) : kNever;
  }
  return std::max(heard_at_ + DetectionTime(), excused_until_);
}

bool BfdSession::Excuse(Nanoseconds now) {
  if (excused_) return false;
  excused_ = true;
  const Nanoseconds interval = demanding() ? TransmitInterval() : ReceiveInterval();
  excused_until_ = now + interval + interval / 4;  // it may have just missed its turn
  return true;
}

void BfdSession::Expire(Nanoseconds now) {
  if (DetectAt() > now) return;
  if (state_ == BfdState::kInit || state_ == BfdState::kUp) {
    Enter(BfdState::kDown, BfdDiagnostic::kDetectionTimeExpired, now);
  }
  // What the peer has asked of us is forgotten with it, or the session might never speak again.
  remote_.discriminator = 0;
  remote_.state = BfdState::kDown;
  remote_.min_rx = 1;
  remote_.min_echo_rx = 0;
  remote_.demand = false;
  Reschedule(now);
}

size_t BfdSession::Send(Nanoseconds now, std::span<uint8_t, kBfdLongestPacket> out) {
  if (demanding() && !polling_ && poll_next_ <= now) {
    RequestPoll();
    next_send_ = now;
  }
  if (!MayTransmit()) {
    answer_poll_ = false;
    changed_ = false;
    return 0;
  }
  const bool due = MaySend(now);
  if (!due && !answer_poll_ && !changed_) return 0;

  const BfdPacket packet = Compose(answer_poll_);
  const size_t authentication_size = authenticator_.size();
  const auto whole = out.first(kBfdMandatorySize + authentication_size);
  MarshalBfd(packet, authentication_size, out.first<kBfdMandatorySize>());
  authenticator_.Sign(whole, changed_);
  if (packet.poll && !poll_sent_) {
    poll_sent_ = true;
    poll_since_ = now;
  }
  // An answer to a poll is beside the periodic packets, all else is in the place of one.
  if (due || changed_) {
    sent_at_ = now;
    next_send_ = now + Jittered(TransmitInterval());
  }
  answer_poll_ = false;
  changed_ = false;
  return whole.size();
}

bool BfdSession::MayEcho(Nanoseconds now) const {
  // The last one before the session is given up has all its time.
  const bool judged = echo_.Misses(parameters_.detect_multiplier);
  const Nanoseconds next = echo_.NextSend();
  return next != kNever && next <= now + (judged ? 0 : Early(EchoInterval()));
}

std::optional<uint64_t> BfdSession::Echo(Nanoseconds now) {
  if (!MayEcho(now)) return std::nullopt;
  const Nanoseconds interval = EchoInterval();
  const bool trial = echo_.state() == BfdEchoState::kTrial;
  return echo_.Send(now + Jittered(trial ? std::max(interval, kTrialInterval) : interval));
}

BfdEchoDrop BfdSession::ReceiveEcho(uint64_t sequence, Nanoseconds now) {
  const BfdEchoState before = echo_.state();
  const BfdEchoDrop drop = echo_.Receive(sequence);
  if (drop == BfdEchoDrop::kNone && before == BfdEchoState::kTrial) {
    echo_.SendBy(now + Jittered(EchoInterval()));
    FollowEcho(now);
  }
  return drop;
}

bool BfdSession::ExcuseEcho(Nanoseconds now) { return echo_.Excuse(now + EchoInterval() + EchoInterval() / 4); }

void BfdSession::ExpireEcho(Nanoseconds now) {
  if (EchoDetectAt() <= now) Enter(BfdState::kDown, BfdDiagnostic::kEchoFailed, now);
}

// Section 6.8.9.
Nanoseconds BfdSession::EchoInterval() const {
  if (echo_.state() == BfdEchoState::kOff) return 0;
  return std::max(parameters_.echo_interval, remote_.min_echo_rx) * kMicrosecond;
}

bool BfdSession::demanding() const {
  return parameters_.demand && state_ == BfdState::kUp && remote_.state == BfdState::kUp;
}

Nanoseconds BfdSession::TransmitInterval() const { return std::max(used_tx_, remote_.min_rx) * kMicrosecond; }

Nanoseconds BfdSession::ReceiveInterval() const { return std::max(used_rx_, remote_.desired_tx) * kMicrosecond; }

bool BfdSession::MaySend(Nanoseconds now) const {
  return MayTransmit() && IsPeriodic() && next_send_ <= now + Early(TransmitInterval());
}

// Section 6.8.4.
Nanoseconds BfdSession::DetectionTime() const {
  return demanding() ? parameters_.detect_multiplier * TransmitInterval() : remote_.multiplier * ReceiveInterval();
}

void BfdSession::Enter(BfdState state, BfdDiagnostic diagnostic, Nanoseconds now) {
  state_ = state;
  diagnostic_ = diagnostic;
  changed_ = true;
  poll_next_ = now;
  if (state != BfdState::kUp) {
    // It may have been silent because it was told to be slow.
    if (echo_.state() == BfdEchoState::kWorking) heard_at_ = now;
    echo_.Stop();
  }
  Advertise(now);
}

// Section 6.8.3: says what it wants in this state, and takes it into use where that is safe at once.
void BfdSession::Advertise(Nanoseconds now) {
  const bool up = state_ == BfdState::kUp;
  const uint32_t tx = up ? parameters_.desired_min_tx : std::max(parameters_.desired_min_tx, kSlowTx);
  const uint32_t rx = WantedRx();
  if (tx != advertised_tx_ || rx != advertised_rx_) RequestPoll();
  advertised_tx_ = tx;
  advertised_rx_ = rx;
  if (!up || tx < used_tx_) used_tx_ = tx;
  if (!up || rx > used_rx_) used_rx_ = rx;
  Reschedule(now);
}

// Section 6.8.9: only while Up, and as long as the peer says that it returns them.
void BfdSession::FollowEcho(Nanoseconds now) {
  const bool wanted = state_ == BfdState::kUp && parameters_.echo_interval != 0 && remote_.min_echo_rx != 0;
  if (wanted && echo_.state() == BfdEchoState::kOff) echo_.Start(now);
  if (!wanted) echo_.Stop();
  if (WantedRx() == advertised_rx_) return;
  changed_ = true;
  Advertise(now);
}

// Control packets may be few while echo packets tell of the path, and sooner than they would. What this system sends is
// left to the peer to slow down, which may have nothing else to tell of the path by.
uint32_t BfdSession::WantedRx() const {
  const uint32_t rx = parameters_.required_min_rx;
  const bool told_by_echo = echo_.state() == BfdEchoState::kWorking && EchoInterval() <= rx * kMicrosecond;
  return told_by_echo ? std::max(rx, kSlowRx) : rx;
}

void BfdSession::RequestPoll() {
  polling_ = true;
  poll_sent_ = false;
}

void BfdSession::EndPoll(Nanoseconds now) {
  polling_ = false;
  used_tx_ = advertised_tx_;
  used_rx_ = advertised_rx_;
  poll_next_ = now + DetectionTime();
}

// The interval may have changed: counts it from the last packet.
void BfdSession::Reschedule(Nanoseconds now) { next_send_ = std::max(now, sent_at_ + Jittered(TransmitInterval())); }

// Section 6.8.7.
bool BfdSession::MayTransmit() const { return !parameters_.passive || remote_.discriminator != 0; }

bool BfdSession::IsPeriodic() const {
  if (remote_.min_rx == 0) return false;
  const bool spared = remote_.demand && state_ == BfdState::kUp && remote_.state == BfdState::kUp;
  return polling_ || !spared;
}

// Between 75 and 100 % of the interval, or 90 % when each packet counts: section 6.8.7. The first 5 % are left to
// packets that go out early.
Nanoseconds BfdSession::Jittered(Nanoseconds interval) {
  random_ += 0x9e3779b97f4a7c15ULL;  // splitmix64
  uint64_t mixed = (random_ ^ (random_ >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  mixed ^= mixed >> 31;
  const Nanoseconds least = interval / 5 * 4;
  const Nanoseconds most = parameters_.detect_multiplier == 1 ? interval / 10 * 9 : interval;
  return least + mixed % (most - least + 1);
}

BfdPacket BfdSession::Compose(bool final) const {
  BfdPacket packet;
  packet.diagnostic = diagnostic_;
  packet.state = state_;
  packet.final = final;
  packet.poll = polling_ && !final;
  packet.demand = demanding();
  packet.detect_multiplier = parameters_.detect_multiplier;
  packet.my_discriminator = discriminator_;
  packet.your_discriminator = remote_.discriminator;
  packet.desired_min_tx = advertised_tx_;
  packet.required_min_rx = advertised_rx_;
  packet.required_min_echo_rx = echo_offered() ? parameters_.echo_interval : 0;
  return packet;
}

}  // namespace garpoon
