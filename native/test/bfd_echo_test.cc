// Echo packets on the wire, and the echo function of a session by itself.
#include "../bfd_echo.h"

#include <array>
#include <string>
#include <vector>

#include "../bfd_echo_packet.h"
#include "../bfd_session.h"
#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

constexpr SipHashKey kKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
constexpr Nanoseconds kStart = 1'000'000 * kMillisecond;
constexpr uint32_t kFast = 50'000;

std::vector<uint8_t> Echo(const BfdEchoStamp& stamp = {7, 9}) {
  std::vector<uint8_t> bytes(kBfdEchoSize);
  MarshalBfdEcho(Ip("192.0.2.1"), stamp, kKey, std::span(bytes).first<kBfdEchoSize>());
  return bytes;
}

uint16_t Sum(std::span<const uint8_t> bytes, uint32_t sum) {
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

BfdPacket FromPeer(BfdState state, uint32_t min_echo_rx) {
  BfdPacket packet;
  packet.state = state;
  packet.detect_multiplier = 3;
  packet.my_discriminator = 99;
  packet.your_discriminator = 77;
  packet.desired_min_tx = 100'000;
  packet.required_min_rx = 100'000;
  packet.required_min_echo_rx = min_echo_rx;
  return packet;
}

struct Subject {
  Nanoseconds now = kStart;
  BfdSession session;

  explicit Subject(uint32_t echo_interval = kFast)
      : session({.desired_min_tx = 100'000,
                 .required_min_rx = 100'000,
                 .detect_multiplier = 3,
                 .echo_interval = echo_interval},
                {}, {77, 1, 42}, kStart) {}

  void Hear(BfdState state, uint32_t min_echo_rx, bool final = false) {
    BfdReception reception;
    reception.packet = FromPeer(state, min_echo_rx);
    reception.packet.final = final;
    EXPECT_EQ(session.Receive(reception, now), BfdDrop::kNone);
  }

  BfdPacket Send() {
    std::array<uint8_t, kBfdLongestPacket> bytes;
    const size_t size = session.Send(now, bytes);
    BfdReception reception;
    EXPECT_EQ(ParseBfd(std::span(bytes).first(size), reception), BfdDrop::kNone);
    return reception.packet;
  }

  void ComeUp(uint32_t min_echo_rx) {
    Hear(BfdState::kDown, min_echo_rx);
    Hear(BfdState::kUp, min_echo_rx);
    EXPECT_EQ(session.state(), BfdState::kUp);
  }

  // Sends one that comes back.
  void Prove() {
    const auto sequence = session.Echo(now);
    EXPECT(sequence.has_value());
    EXPECT_EQ(session.ReceiveEcho(*sequence, now), BfdEchoDrop::kNone);
    EXPECT_EQ(session.echo_state(), BfdEchoState::kWorking);
  }

  // The next echo packet, when it is due; 0 when none will be.
  uint64_t NextEcho() {
    for (int i = 0; i < 5'000; i++) {
      if (const auto sequence = session.Echo(now)) return *sequence;
      now += kMillisecond;
    }
    return 0;
  }
};

}  // namespace

TEST("a tag is SipHash-2-4, as its authors' vectors say") {
  std::vector<uint8_t> message;
  const struct {
    size_t size;
    uint64_t tag;
  } rows[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}};
  for (const auto& row : rows) {
    while (message.size() < row.size) message.push_back(static_cast<uint8_t>(message.size()));
    EXPECT_EQ(SipHash(kKey, message), row.tag);
  }
}

TEST("an echo packet is a whole datagram to ourselves, with the TTL and port of RFC 5881, and is read as written") {
  const std::vector<uint8_t> bytes = Echo({0x01020304, 0x05060708090a0b0c});
  EXPECT_EQ(ToHex({bytes.begin(), bytes.begin() + 10}), "45c0003000004000ff11");
  EXPECT_EQ(ToHex({bytes.begin() + 12, bytes.begin() + 26}), "c0000201c00002010ec90ec9001c");
  EXPECT_EQ(ToHex({bytes.begin() + 28, bytes.begin() + 40}), "0102030405060708090a0b0c");
  EXPECT_EQ(Sum(std::span(bytes).first(20), 0), 0xffff);
  EXPECT_EQ(Sum(std::span(bytes).subspan(12), 17 + 28), 0xffff);
  BfdEchoReception echo;
  EXPECT_EQ(ParseBfdEcho(bytes, echo), BfdEchoDrop::kNone);
  EXPECT(echo.stamp == (BfdEchoStamp{0x01020304, 0x05060708090a0b0c}));
  EXPECT_EQ(echo.ttl, 255);
  EXPECT(IsGenuine(echo, kKey));
  EXPECT(!IsGenuine(echo, {1, 2}));
}

TEST("any other datagram is refused for its reason") {
  const std::vector<uint8_t> whole = Echo();
  for (size_t size = 0; size < whole.size(); size++) {
    BfdEchoReception echo;
    EXPECT_EQ(ParseBfdEcho(std::span(whole).first(size), echo), BfdEchoDrop::kTruncated);
  }
  const struct {
    const char* label;
    size_t at;
    const char* bytes;
    BfdEchoDrop drop;
  } rows[] = {
      {"IPv6", 0, "65", BfdEchoDrop::kMalformed},
      {"options", 0, "46", BfdEchoDrop::kMalformed},
      {"longer", 2, "0031", BfdEchoDrop::kMalformed},
      {"shorter", 2, "0014", BfdEchoDrop::kMalformed},
      {"a first fragment", 6, "2000", BfdEchoDrop::kMalformed},
      {"a later fragment", 6, "0001", BfdEchoDrop::kMalformed},
      {"TCP", 9, "06", BfdEchoDrop::kMalformed},
      {"another port", 22, "0ec8", BfdEchoDrop::kMalformed},
      {"a UDP length beyond", 24, "ffff", BfdEchoDrop::kMalformed},
      {"from somebody else", 12, "c0000202", BfdEchoDrop::kNotOurs},
      {"another type of service", 1, "00", BfdEchoDrop::kNone},
      {"another TTL", 8, "01", BfdEchoDrop::kNone},
  };
  for (const auto& row : rows) {
    std::vector<uint8_t> bytes = whole;
    std::ranges::copy(Hex(row.bytes), bytes.begin() + static_cast<std::ptrdiff_t>(row.at));
    BfdEchoReception echo;
    EXPECT_EQ(ParseBfdEcho(bytes, echo), row.drop, row.label);
  }
  std::vector<uint8_t> padded = whole;
  padded.resize(100);
  BfdEchoReception echo;
  EXPECT_EQ(ParseBfdEcho(padded, echo), BfdEchoDrop::kNone);
}

TEST("no bit of address, discriminator, sequence or tag can be changed") {
  for (size_t at = 28; at < kBfdEchoSize; at++) {
    for (int bit = 0; bit < 8; bit++) {
      std::vector<uint8_t> bytes = Echo();
      bytes[at] ^= static_cast<uint8_t>(1 << bit);
      BfdEchoReception echo;
      EXPECT_EQ(ParseBfdEcho(bytes, echo), BfdEchoDrop::kNone);
      EXPECT(!IsGenuine(echo, kKey));
    }
  }
  std::vector<uint8_t> bytes = Echo();
  bytes[15] = bytes[19] = 2;
  BfdEchoReception echo;
  EXPECT_EQ(ParseBfdEcho(bytes, echo), BfdEchoDrop::kNone);
  EXPECT(!IsGenuine(echo, kKey));
}

TEST("echo packets are sent only while Up, to a peer that returns them, when they are asked for") {
  const struct {
    const char* label;
    uint32_t ours;
    uint32_t theirs;
    bool up;
    BfdEchoState state;
  } rows[] = {
      {"all of it", kFast, 20'000, true, BfdEchoState::kTrial},
      {"not asked for", 0, 20'000, true, BfdEchoState::kOff},
      {"a peer without", kFast, 0, true, BfdEchoState::kOff},
      {"not up", kFast, 20'000, false, BfdEchoState::kOff},
  };
  for (const auto& row : rows) {
    Subject subject(row.ours);
    subject.Hear(BfdState::kDown, row.theirs);
    if (row.up) subject.Hear(BfdState::kUp, row.theirs);
    EXPECT_EQ(subject.session.echo_state(), row.state, row.label);
    EXPECT_EQ(subject.session.Echo(subject.now).has_value(), row.state != BfdEchoState::kOff, row.label);
  }
}

TEST("the peer is told that its own come back only when they do, and only when echo is asked for") {
  for (const uint32_t interval : {0u, kFast}) {
    Subject subject(interval);
    subject.ComeUp(0);
    EXPECT_EQ(subject.Send().required_min_echo_rx, 0u);
    subject.session.OfferEcho(true);
    EXPECT_EQ(subject.Send().required_min_echo_rx, interval);
    subject.session.OfferEcho(false);
    EXPECT_EQ(subject.Send().required_min_echo_rx, 0u);
  }
}

TEST("the interval is the slower of the two, with jitter") {
  for (const uint32_t theirs : {10'000u, 80'000u}) {
    Subject subject;
    subject.ComeUp(theirs);
    subject.Prove();
    const Nanoseconds interval = std::max(kFast, theirs) * kMicrosecond;
    EXPECT_EQ(subject.session.EchoInterval(), interval);
    for (int i = 0; i < 100; i++) {
      const Nanoseconds before = subject.now;
      const uint64_t sequence = subject.NextEcho();
      EXPECT_EQ(subject.session.ReceiveEcho(sequence, subject.now), BfdEchoDrop::kNone);
      if (i == 0) continue;
      EXPECT(subject.now - before >= interval * 3 / 4 && subject.now - before <= interval + kMillisecond);
    }
  }
}

TEST("control packets are asked for once a second when the first comes back, and as before when echo ends") {
  Subject subject;
  subject.ComeUp(kFast);
  EXPECT_EQ(subject.Send().required_min_rx, 100'000u);
  subject.Hear(BfdState::kUp, kFast, true);
  subject.Prove();
  BfdPacket sent = subject.Send();
  EXPECT(sent.poll);
  EXPECT_EQ(sent.required_min_rx, 1'000'000u);
  // What we send is the peer's to slow down: it detects us by it.
  EXPECT_EQ(sent.desired_min_tx, 100'000u);
  EXPECT_EQ(subject.session.DetectionTime(), 3'000 * kMillisecond);
  subject.Hear(BfdState::kUp, kFast, true);
  EXPECT(!subject.session.polling());

  subject.Hear(BfdState::kUp, 0);
  EXPECT_EQ(subject.session.echo_state(), BfdEchoState::kOff);
  sent = subject.Send();
  EXPECT(sent.poll);
  EXPECT_EQ(sent.required_min_rx, 100'000u);
  EXPECT_EQ(subject.session.DetectionTime(), 3'000 * kMillisecond);
  subject.Hear(BfdState::kUp, 0, true);
  EXPECT_EQ(subject.session.DetectionTime(), 300 * kMillisecond);
  EXPECT_EQ(subject.session.state(), BfdState::kUp);
}

TEST("control packets stay as frequent as they are where echo packets would be no sooner") {
  Subject slow(300'000);
  slow.ComeUp(kFast);
  slow.Prove();
  EXPECT_EQ(slow.Send().required_min_rx, 100'000u);
  Subject slowed;
  slowed.ComeUp(kFast);
  slowed.Prove();
  slowed.Hear(BfdState::kUp, 60'000'000);
  EXPECT_EQ(slowed.session.echo_state(), BfdEchoState::kWorking);
  EXPECT_EQ(slowed.Send().required_min_rx, 100'000u);
}

TEST("three that are missing in a row take the session down, and not before the last had its time") {
  Subject subject;
  subject.ComeUp(kFast);
  subject.Prove();
  EXPECT_EQ(subject.session.ReceiveEcho(subject.NextEcho(), subject.now), BfdEchoDrop::kNone);
  const Nanoseconds returned = subject.now;
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(subject.session.EchoDetectAt(), kNever);
    EXPECT(subject.NextEcho() != 0);
  }
  const Nanoseconds last = subject.now;
  const Nanoseconds at = subject.session.EchoDetectAt();
  EXPECT(at >= last + 40 * kMillisecond);
  EXPECT(at - returned <= 203 * kMillisecond);
  EXPECT(!subject.session.MayEcho(at - 1));
  subject.session.ExpireEcho(at - 1);
  EXPECT_EQ(subject.session.state(), BfdState::kUp);
  subject.session.ExpireEcho(at);
  EXPECT_EQ(subject.session.state(), BfdState::kDown);
  EXPECT_EQ(subject.session.diagnostic(), BfdDiagnostic::kEchoFailed);
  EXPECT_EQ(subject.session.echo_state(), BfdEchoState::kOff);
  const BfdPacket sent = subject.Send();
  EXPECT_EQ(sent.diagnostic, BfdDiagnostic::kEchoFailed);
  EXPECT_EQ(sent.required_min_rx, 100'000u);
}

TEST("a peer that was told to be slow is not forgotten when echo takes the session down") {
  Subject subject;
  subject.ComeUp(kFast);
  subject.Prove();
  subject.now += 900 * kMillisecond;
  for (int i = 0; i < 3; i++) EXPECT(subject.NextEcho() != 0);
  subject.now = subject.session.EchoDetectAt();
  subject.session.ExpireEcho(subject.now);
  subject.session.Expire(subject.now);
  EXPECT_EQ(subject.session.remote_discriminator(), 99u);
  subject.now += 300 * kMillisecond;
  subject.session.Expire(subject.now);
  EXPECT_EQ(subject.session.remote_discriminator(), 0u);
}

TEST("two that are missing and one that is not do no harm, and none counts twice") {
  Subject subject;
  subject.ComeUp(kFast);
  subject.Prove();
  for (int i = 0; i < 50; i++) {
    const uint64_t first = subject.NextEcho();
    (void)subject.NextEcho();
    const uint64_t third = subject.NextEcho();
    EXPECT_EQ(subject.session.ReceiveEcho(third, subject.now), BfdEchoDrop::kNone);
    EXPECT_EQ(subject.session.ReceiveEcho(third, subject.now), BfdEchoDrop::kStale);
    EXPECT_EQ(subject.session.ReceiveEcho(first, subject.now), BfdEchoDrop::kStale);
    EXPECT_EQ(subject.session.ReceiveEcho(third + 1, subject.now), BfdEchoDrop::kStale);
    EXPECT_EQ(subject.session.EchoDetectAt(), kNever);
  }
}

TEST("as long as none has come back, one a second is sent, and nothing follows from their absence") {
  Subject subject;
  subject.ComeUp(kFast);
  const Nanoseconds start = subject.now;
  for (int i = 0; i < 20; i++) {
    EXPECT(subject.NextEcho() != 0);
    EXPECT_EQ(subject.session.EchoDetectAt(), kNever);
  }
  EXPECT(subject.now - start >= 14'000 * kMillisecond);
  EXPECT_EQ(subject.session.state(), BfdState::kUp);
}

TEST("what was sent before the session went down proves nothing when it is up again") {
  Subject subject;
  subject.ComeUp(kFast);
  subject.Prove();
  const uint64_t old = subject.NextEcho();
  subject.Hear(BfdState::kDown, kFast);
  EXPECT_EQ(subject.session.ReceiveEcho(old, subject.now), BfdEchoDrop::kInactive);
  subject.ComeUp(kFast);
  EXPECT_EQ(subject.session.ReceiveEcho(old, subject.now), BfdEchoDrop::kStale);
  EXPECT_EQ(subject.session.echo_state(), BfdEchoState::kTrial);
}

TEST("a delay of our own is excused once until the next comes back") {
  Subject subject;
  subject.ComeUp(kFast);
  subject.Prove();
  for (int i = 0; i < 3; i++) (void)subject.NextEcho();
  subject.now = subject.session.EchoDetectAt();
  EXPECT(subject.session.ExcuseEcho(subject.now));
  EXPECT(subject.session.EchoDetectAt() > subject.now);
  EXPECT(!subject.session.ExcuseEcho(subject.now));
  EXPECT(subject.NextEcho() != 0);
  subject.now = subject.session.EchoDetectAt();
  subject.session.ExpireEcho(subject.now);
  EXPECT_EQ(subject.session.state(), BfdState::kDown);
}

}  // namespace garpoon::test
