// The state machine by itself: each packet is put into its hands.
#include "../bfd_session.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "check.h"

namespace garpoon::test {
namespace {

constexpr Nanoseconds kStart = 1'000'000 * kMillisecond;
constexpr uint32_t kOurs = 77;
constexpr uint32_t kTheirs = 99;

BfdParameters Fast() { return {.desired_min_tx = 100'000, .required_min_rx = 100'000, .detect_multiplier = 3}; }

struct Subject {
  Nanoseconds now = kStart;
  BfdSession session;

  explicit Subject(const BfdParameters& parameters = Fast()) : session(parameters, {}, {kOurs, 1, 42}, kStart) {}

  BfdDrop Hear(BfdPacket packet) {
    BfdReception reception;
    reception.packet = packet;
    return session.Receive(reception, now);
  }
  BfdDrop Hear(BfdState state) { return Hear(Packet(state)); }

  static BfdPacket Packet(BfdState state) {
    BfdPacket packet;
    packet.state = state;
    packet.detect_multiplier = 3;
    packet.my_discriminator = kTheirs;
    packet.your_discriminator = kOurs;
    packet.desired_min_tx = 100'000;
    packet.required_min_rx = 100'000;
    return packet;
  }

  std::optional<BfdPacket> Send() {
    std::array<uint8_t, kBfdLongestPacket> bytes;
    const size_t size = session.Send(now, bytes);
    if (size == 0) return std::nullopt;
    BfdReception reception;
    EXPECT_EQ(ParseBfd(std::span(bytes).first(size), reception), BfdDrop::kNone);
    return reception.packet;
  }

  void Sleep(Nanoseconds time) { now += time; }

  // Up, and through with its poll sequence.
  static Subject Up(const BfdParameters& parameters = Fast()) {
    Subject subject(parameters);
    (void)subject.Hear(BfdState::kDown);
    (void)subject.Hear(BfdState::kUp);
    (void)subject.Send();
    BfdPacket answer = Packet(BfdState::kUp);
    answer.final = true;
    (void)subject.Hear(answer);
    EXPECT_EQ(subject.session.state(), BfdState::kUp);
    EXPECT(!subject.session.polling());
    return subject;
  }

  void Reach(BfdState state) {
    if (state == BfdState::kAdminDown) session.SwitchOff(now);
    if (state == BfdState::kInit || state == BfdState::kUp) (void)Hear(BfdState::kDown);
    if (state == BfdState::kUp) (void)Hear(BfdState::kInit);
    EXPECT_EQ(session.state(), state);
  }
};

}  // namespace

TEST("every packet in every state leads where RFC 5880 section 6.8.6 says") {
  using enum BfdState;
  constexpr auto kNoReason = BfdDiagnostic::kNone;
  constexpr auto kSignaled = BfdDiagnostic::kNeighborSignaledDown;
  const struct {
    BfdState before, heard, after;
    BfdDiagnostic diagnostic;
  } rows[] = {
      {kDown, kAdminDown, kDown, kNoReason}, {kDown, kDown, kInit, kNoReason},      {kDown, kInit, kUp, kNoReason},
      {kDown, kUp, kDown, kNoReason},        {kInit, kAdminDown, kDown, kSignaled}, {kInit, kDown, kInit, kNoReason},
      {kInit, kInit, kUp, kNoReason},        {kInit, kUp, kUp, kNoReason},          {kUp, kAdminDown, kDown, kSignaled},
      {kUp, kDown, kDown, kSignaled},        {kUp, kInit, kUp, kNoReason},          {kUp, kUp, kUp, kNoReason},
  };
  for (const auto& row : rows) {
    Subject subject;
    subject.Reach(row.before);
    EXPECT_EQ(subject.Hear(row.heard), BfdDrop::kNone);
    const std::string label = std::string(Name(row.before)) + " hears " + Name(row.heard);
    EXPECT_EQ(subject.session.state(), row.after, label);
    EXPECT_EQ(subject.session.diagnostic(), row.diagnostic, label);
    EXPECT_EQ(subject.session.remote_discriminator(), kTheirs);
  }
  for (const BfdState heard : {kAdminDown, kDown, kInit, kUp}) {
    Subject subject;
    subject.Reach(kAdminDown);
    EXPECT_EQ(subject.Hear(heard), BfdDrop::kAdminDown);
    EXPECT_EQ(subject.session.state(), kAdminDown);
  }
}

TEST("silence for the detection time is a failure where there was a peer") {
  for (const BfdState state : {BfdState::kDown, BfdState::kInit, BfdState::kUp}) {
    Subject subject;
    subject.Reach(state);
    const Nanoseconds deadline = subject.session.DetectAt();
    if (state == BfdState::kDown) {
      EXPECT_EQ(deadline, kNever);
      continue;
    }
    EXPECT_EQ(deadline - subject.now, 300 * kMillisecond);
    subject.session.Expire(deadline - 1);
    EXPECT_EQ(subject.session.state(), state);
    subject.session.Expire(deadline);
    EXPECT_EQ(subject.session.state(), BfdState::kDown);
    EXPECT_EQ(subject.session.diagnostic(), BfdDiagnostic::kDetectionTimeExpired);
    EXPECT_EQ(subject.session.remote_discriminator(), 0u);
    EXPECT_EQ(subject.session.DetectAt(), kNever);
  }
}

TEST("the detection time is the peer's multiplier times the slower of the two") {
  const struct {
    uint32_t required_rx, desired_tx;
    uint8_t multiplier;
    uint64_t milliseconds;
  } rows[] = {{50'000, 100'000, 3, 300}, {100'000, 50'000, 3, 300}, {100'000, 0, 1, 100}, {1'000, 2'000, 255, 510}};
  for (const auto& row : rows) {
    BfdParameters parameters = Fast();
    parameters.required_min_rx = row.required_rx;
    parameters.detect_multiplier = 9;
    Subject subject(parameters);
    BfdPacket packet = Subject::Packet(BfdState::kDown);
    packet.desired_min_tx = row.desired_tx;
    packet.detect_multiplier = row.multiplier;
    (void)subject.Hear(packet);
    EXPECT_EQ(subject.session.DetectionTime(), row.milliseconds * kMillisecond);
  }
}

TEST("it sends no faster than once in a second until it is up, and then polls with its own timers") {
  Subject subject;
  EXPECT_EQ(subject.Send()->desired_min_tx, 1'000'000u);
  EXPECT_EQ(subject.session.TransmitInterval(), 1000 * kMillisecond);
  subject.Reach(BfdState::kUp);
  const auto packet = subject.Send();
  EXPECT(packet->poll);
  EXPECT_EQ(packet->desired_min_tx, 100'000u);
  EXPECT_EQ(subject.session.TransmitInterval(), 100 * kMillisecond);
}

TEST("periodic packets are apart by 75 to 100 percent of the interval, or 90 when each counts") {
  for (const uint8_t multiplier : std::array<uint8_t, 3>{1, 2, 3}) {
    BfdParameters parameters = Fast();
    parameters.detect_multiplier = multiplier;
    Subject subject = Subject::Up(parameters);
    (void)subject.Send();
    Nanoseconds least = kNever, most = 0;
    for (int i = 0; i < 2000; i++) {
      const Nanoseconds before = subject.now;
      (void)subject.Hear(BfdState::kUp);
      subject.now = subject.session.Deadline();
      // With others, up to 5 percent early.
      if (i % 2 == 0) subject.now -= 5 * kMillisecond;
      EXPECT(subject.session.MaySend(subject.now));
      EXPECT(subject.Send().has_value());
      least = std::min(least, subject.now - before);
      most = std::max(most, subject.now - before);
    }
    const Nanoseconds limit = (multiplier == 1 ? 90 : 100) * kMillisecond;
    EXPECT(least >= 75 * kMillisecond && least < 76 * kMillisecond);
    EXPECT(most <= limit && most > limit - kMillisecond);
  }
}

TEST("a poll is answered at once, with F and without P, and beside what is periodic") {
  Subject subject = Subject::Up();
  (void)subject.Send();
  subject.Sleep(10 * kMillisecond);
  const Nanoseconds next = subject.session.Deadline();
  subject.session.Change({.desired_min_tx = 100'000, .required_min_rx = 90'000, .detect_multiplier = 3}, subject.now);
  (void)subject.Send();
  EXPECT(subject.session.polling());
  BfdPacket poll = Subject::Packet(BfdState::kUp);
  poll.poll = true;
  (void)subject.Hear(poll);
  EXPECT_EQ(subject.session.Deadline(), 0u);
  const auto answer = subject.Send();
  EXPECT(answer->final && !answer->poll);
  EXPECT(!subject.Send());
  EXPECT(subject.session.polling());
  EXPECT(next > 0);
}

TEST("what would make one side too impatient is used when the peer has confirmed it") {
  const struct {
    const char* label;
    uint32_t tx, rx;
    uint64_t sends_before, hears_before, sends_after, hears_after;  // ms
  } rows[] = {
      {"faster", 50'000, 50'000, 100, 100, 100, 100},
      {"slower", 300'000, 300'000, 100, 300, 300, 300},
      {"sends slower", 300'000, 100'000, 100, 100, 300, 100},
      {"hears faster", 100'000, 20'000, 100, 200, 100, 100},
  };
  for (const auto& row : rows) {
    BfdParameters parameters = Fast();
    if (row.hears_before == 200) parameters.required_min_rx = 200'000;
    Subject subject = Subject::Up(parameters);
    parameters.desired_min_tx = row.tx;
    parameters.required_min_rx = row.rx;
    subject.session.Change(parameters, subject.now);
    EXPECT_EQ(subject.session.TransmitInterval(), row.sends_before * kMillisecond, row.label);
    EXPECT_EQ(subject.session.ReceiveInterval(), row.hears_before * kMillisecond, row.label);
    BfdPacket confirmation = Subject::Packet(BfdState::kUp);
    confirmation.final = true;
    // An answer to an older poll confirms nothing.
    (void)subject.Hear(confirmation);
    EXPECT(subject.session.polling());
    const auto poll = subject.Send();
    EXPECT(poll->poll && poll->desired_min_tx == row.tx && poll->required_min_rx == row.rx);
    (void)subject.Hear(confirmation);
    EXPECT(!subject.session.polling());
    EXPECT_EQ(subject.session.TransmitInterval(), row.sends_after * kMillisecond, row.label);
    EXPECT_EQ(subject.session.ReceiveInterval(), row.hears_after * kMillisecond, row.label);
  }
}

TEST("a peer that wants no periodic packets gets none, and one that is slow gets few") {
  Subject subject = Subject::Up();
  (void)subject.Send();
  BfdPacket packet = Subject::Packet(BfdState::kUp);
  packet.required_min_rx = 400'000;
  (void)subject.Hear(packet);
  EXPECT_EQ(subject.session.TransmitInterval(), 400 * kMillisecond);
  packet.required_min_rx = 0;
  (void)subject.Hear(packet);
  EXPECT_EQ(subject.session.Deadline(), subject.session.DetectAt());
  // Once it is given up it is spoken to again.
  subject.now = subject.session.DetectAt();
  subject.session.Expire(subject.now);
  EXPECT(subject.Send().has_value());
  EXPECT(subject.session.Deadline() <= subject.now + 1000 * kMillisecond);
}

TEST("a peer in demand mode is spoken to only to poll and to answer") {
  Subject subject = Subject::Up();
  (void)subject.Send();
  BfdPacket packet = Subject::Packet(BfdState::kUp);
  packet.demand = true;
  (void)subject.Hear(packet);
  EXPECT_EQ(subject.session.Deadline(), subject.session.DetectAt());
  BfdParameters parameters = Fast();
  parameters.desired_min_tx = 200'000;
  subject.session.Change(parameters, subject.now);
  EXPECT(subject.Send()->poll);
  EXPECT(subject.session.Deadline() < subject.session.DetectAt());
  packet.final = true;
  (void)subject.Hear(packet);
  EXPECT_EQ(subject.session.Deadline(), subject.session.DetectAt());
}

TEST("in demand mode it asks after each detection time, and gives up who does not answer") {
  BfdParameters parameters = Fast();
  parameters.demand = true;
  Subject subject = Subject::Up(parameters);
  EXPECT(subject.session.demanding());
  (void)subject.Send();
  EXPECT_EQ(subject.session.DetectAt(), kNever);
  BfdPacket answer = Subject::Packet(BfdState::kUp);
  answer.final = true;
  for (int i = 0; i < 3; i++) {
    while (!subject.session.polling()) {
      subject.now = subject.session.Deadline();
      (void)subject.Send();
      EXPECT(subject.now < kStart + 10'000 * kMillisecond);
    }
    EXPECT_EQ(subject.session.DetectAt(), subject.now + 300 * kMillisecond);
    (void)subject.Hear(answer);
  }
  while (subject.session.state() == BfdState::kUp) {
    subject.now = subject.session.Deadline();
    subject.session.Expire(subject.now);
    (void)subject.Send();
    EXPECT(subject.now < kStart + 10'000 * kMillisecond);
  }
  EXPECT_EQ(subject.session.diagnostic(), BfdDiagnostic::kDetectionTimeExpired);
}

TEST("a passive one says nothing before it has heard something") {
  BfdParameters parameters = Fast();
  parameters.passive = true;
  Subject subject(parameters);
  EXPECT_EQ(subject.session.Deadline(), kNever);
  EXPECT(!subject.Send());
  (void)subject.Hear(BfdState::kDown);
  EXPECT_EQ(subject.Send()->state, BfdState::kInit);
  subject.now = subject.session.DetectAt();
  subject.session.Expire(subject.now);
  EXPECT(!subject.Send());
}

TEST("while it is held it stays down and says why, and goes on when it is not") {
  Subject subject = Subject::Up();
  subject.session.Hold(true, subject.now);
  EXPECT_EQ(subject.session.state(), BfdState::kDown);
  const auto packet = subject.Send();
  EXPECT(packet->state == BfdState::kDown && packet->diagnostic == BfdDiagnostic::kForwardingPlaneReset);
  for (const BfdState heard : {BfdState::kDown, BfdState::kInit, BfdState::kUp}) {
    (void)subject.Hear(heard);
    EXPECT_EQ(subject.session.state(), BfdState::kDown);
  }
  subject.session.Hold(false, subject.now);
  (void)subject.Hear(BfdState::kInit);
  EXPECT_EQ(subject.session.state(), BfdState::kUp);
  EXPECT_EQ(subject.session.diagnostic(), BfdDiagnostic::kNone);
}

TEST("it is excused once, and again when the peer was heard") {
  Subject subject = Subject::Up();
  for (int i = 0; i < 3; i++) {
    subject.now = subject.session.DetectAt();
    EXPECT(subject.session.Excuse(subject.now));
    EXPECT_EQ(subject.session.DetectAt(), subject.now + 125 * kMillisecond);
    EXPECT(!subject.session.Excuse(subject.now));
    (void)subject.Hear(BfdState::kUp);
  }
}

TEST("a peer that starts again is followed") {
  Subject subject = Subject::Up();
  BfdPacket packet = Subject::Packet(BfdState::kDown);
  packet.my_discriminator = 123;
  packet.your_discriminator = 0;
  (void)subject.Hear(packet);
  EXPECT_EQ(subject.session.state(), BfdState::kDown);
  EXPECT_EQ(subject.Send()->your_discriminator, 123u);
  packet.state = BfdState::kInit;
  packet.your_discriminator = kOurs;
  (void)subject.Hear(packet);
  EXPECT_EQ(subject.session.state(), BfdState::kUp);
}

TEST("switched off it says so for as long as the peer may need to hear it") {
  Subject subject = Subject::Up();
  const Nanoseconds until = subject.session.SwitchOff(subject.now);
  EXPECT_EQ(until - subject.now, 3000 * kMillisecond);
  const auto packet = subject.Send();
  EXPECT(packet->state == BfdState::kAdminDown && packet->diagnostic == BfdDiagnostic::kAdministrativelyDown);
  EXPECT(subject.session.Deadline() <= subject.now + 1000 * kMillisecond);
  EXPECT_EQ(subject.session.DetectAt(), kNever);
}

}  // namespace garpoon::test
