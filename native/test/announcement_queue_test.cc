#include "../announcement_queue.h"

#include <algorithm>
#include <map>
#include <random>
#include <ranges>
#include <set>

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

using Frame = DueAnnouncement::Frame;

constexpr Nanoseconds kStart = 1'000'000 * kMillisecond;

IpAddress Nth(uint32_t n) {
  IpAddress address = Ip("10.0.0.1");
  address.bytes[2] = static_cast<uint8_t>(n >> 8);
  address.bytes[3] = static_cast<uint8_t>(n);
  return address;
}

UnicastTarget Target(const IpAddress& address) {
  UnicastTarget target{address, kHostMac};
  target.mac.bytes[5] = address.bytes[address.size() - 1];
  return target;
}

std::vector<UnicastTarget> Targets(uint32_t count) {
  std::vector<UnicastTarget> targets;
  for (uint32_t i = 0; i < count; i++) targets.push_back(Target(Nth(50'000 + i)));
  return targets;
}

bool IsUnicast(const DueAnnouncement& due) {
  return due.frame == Frame::kUnicastArp || due.frame == Frame::kUnicastAdvertisement;
}

struct Sent {
  Nanoseconds at;
  DueAnnouncement what;
};

// "192.0.2.1 request" and so on; unicast frames name the target.
std::string Describe(const DueAnnouncement& due) {
  static constexpr const char* kFrames[] = {"request", "reply", "advertisement", "to", "to", "probe", "solicitation"};
  const std::string text = Format(due.address) + " " + kFrames[static_cast<size_t>(due.frame)];
  return IsUnicast(due) ? text + " " + Format(due.target.address) : text;
}

std::vector<std::string> Describe(const std::vector<Sent>& sent) {
  std::vector<std::string> lines;
  for (const Sent& entry : sent) lines.push_back(Describe(entry.what));
  return lines;
}

void ExpectLines(const std::vector<Sent>& sent, const std::vector<std::string>& expected) {
  const auto lines = Describe(sent);
  EXPECT_EQ(lines.size(), expected.size());
  for (size_t i = 0; i < std::min(lines.size(), expected.size()); i++) EXPECT_EQ(lines[i], expected[i]);
}

// Runs the queue by its own deadlines until `until` or until it owes nothing.
std::vector<Sent> Run(AnnouncementQueue& queue, Nanoseconds from, Nanoseconds until) {
  std::vector<Sent> sent;
  Nanoseconds now = from;
  while (queue.Deadline() <= until) {
    now = std::max(now, queue.Deadline());
    std::array<DueAnnouncement, 64> due;
    const size_t count = queue.Take(now, due);
    if (!EXPECT(count > 0)) break;  // a deadline without anything to do would be a busy loop
    for (size_t i = 0; i < count; i++) sent.push_back({now, due[i]});
  }
  return sent;
}

}  // namespace

TEST("an idle queue has no deadline") {
  AnnouncementQueue queue({});
  EXPECT_EQ(queue.Deadline(), kNever);
}

TEST("an IPv4 address is announced at once in both forms, five times in all") {
  AnnouncementQueue queue({});
  queue.Add(Nth(1));
  const auto sent = Run(queue, kStart, kNever - 1);
  if (!EXPECT_EQ(sent.size(), 10u)) return;
  for (size_t round = 0; round < 5; round++) {
    for (size_t form = 0; form < 2; form++) {
      EXPECT_EQ(sent[2 * round + form].what.frame, form == 0 ? Frame::kArpRequest : Frame::kArpReply);
      EXPECT_EQ(sent[2 * round + form].at, kStart + round * 1100 * kMillisecond);
    }
  }
  EXPECT_EQ(queue.Deadline(), kNever);
}

TEST("an IPv6 address keeps to RFC 4861, whatever the schedule says") {
  AnnouncementQueue queue({.rounds = 9, .interval = 100 * kMillisecond});
  queue.Add(Ip("2001:db8::1"));
  const auto sent = Run(queue, kStart, kNever - 1);
  if (!EXPECT_EQ(sent.size(), 3u)) return;
  for (size_t i = 0; i < 3; i++) {
    EXPECT_EQ(sent[i].what.frame, Frame::kNeighborAdvertisement);
    EXPECT_EQ(sent[i].at, kStart + i * 1000 * kMillisecond);
  }
}

TEST("every address has its first frame before any has its second, and those before repeats") {
  AnnouncementQueue queue({});
  constexpr uint32_t kCount = 1000;  // takes five seconds, and repeats fall due meanwhile
  for (uint32_t i = 0; i < kCount; i++) queue.Add(Nth(i));
  const auto sent = Run(queue, kStart, kStart + 4800 * kMillisecond);
  EXPECT(sent.size() > kCount);
  for (size_t i = 0; i < sent.size(); i++) {
    EXPECT_EQ(sent[i].what.frame, i < kCount ? Frame::kArpRequest : Frame::kArpReply);
    EXPECT(sent[i].what.address == Nth(static_cast<uint32_t>(i % kCount)));
  }
}

TEST("a new address goes before the repeats of older ones") {
  AnnouncementQueue queue({.rounds = 5, .interval = 1000 * kMillisecond});
  for (uint32_t i = 0; i < 400; i++) queue.Add(Nth(i));
  Run(queue, kStart, kStart + 2400 * kMillisecond);
  queue.Add(Nth(9999));
  const auto sent = Run(queue, kStart + 2400 * kMillisecond, kStart + 2500 * kMillisecond);
  if (EXPECT(!sent.empty())) EXPECT(sent[0].what.address == Nth(9999));
}

TEST("never more than the burst at once, and never more than the pace for long") {
  std::mt19937 engine(7);
  const auto random = [&engine](uint32_t below) { return static_cast<uint32_t>(engine() % below); };
  const auto address = [&random] { return random(5) != 0 ? Nth(random(500)) : Ip("2001:db8::1"); };
  AnnouncementQueue queue({.refresh = 3000 * kMillisecond});
  std::vector<Nanoseconds> times;
  std::set<Frame> kinds;
  size_t refused = 0;
  Nanoseconds now = kStart;
  for (int step = 0; step < 600; step++) {
    // Every third step is a pause, or nothing but fresh frames would ever go.
    for (uint32_t i = step % 3 == 0 ? random(80) : 0; i > 0; i--) queue.Add(address(), 1 + random(5));
    for (uint32_t i = random(4); i > 0; i--) queue.Probe(address());
    if (random(20) == 0) queue.SetUnicastTargets(Targets(random(4)));
    if (random(20) == 0) queue.Retain([&random](const IpAddress&) { return random(4) != 0; });
    const Nanoseconds until = now + random(400) * kMillisecond;
    while (queue.Deadline() <= until) {
      now = std::max(now, queue.Deadline());
      std::array<DueAnnouncement, 64> due;
      const size_t count = queue.Take(now, due);
      if (!EXPECT(count > 0)) return;
      const size_t taken = random(10) == 0 ? random(static_cast<uint32_t>(count)) : count;
      queue.GiveBack(std::span(due).subspan(taken, count - taken), now);
      refused += count - taken;
      for (const DueAnnouncement& sent : std::span(due).first(taken)) {
        times.push_back(now);
        kinds.insert(sent.frame);
      }
    }
    now = until;
  }
  // In any stretch of time: the burst, and one frame for every 2.5 ms.
  for (size_t first = 0; first < times.size(); first += 7) {
    for (size_t last = first; last < times.size(); last += 31) {
      const uint64_t allowed = 64 + (times[last] - times[first]) / (2'500'000);
      if (last - first + 1 > allowed) EXPECT_EQ(last - first + 1, allowed);
    }
  }
  EXPECT(times.size() > 10'000);
  EXPECT(refused > 500);
  EXPECT_EQ(kinds.size(), 6u);  // all but unicast advertisements: the targets are IPv4
}

TEST("paced frames go out in chunks, not one by one") {
  AnnouncementQueue queue({});
  for (uint32_t i = 0; i < 600; i++) queue.Add(Nth(i));
  std::map<Nanoseconds, int> wakeups;
  const auto sent = Run(queue, kStart, kStart + 1000 * kMillisecond);
  for (const auto& entry : sent) wakeups[entry.at] += 1;
  EXPECT(sent.size() > 400);
  EXPECT(wakeups.size() < 70);
}

TEST("an address that is no longer wanted is forgotten at once") {
  AnnouncementQueue queue({});
  for (uint32_t i = 0; i < 200; i++) queue.Add(Nth(i));
  Run(queue, kStart, kStart + 100 * kMillisecond);
  queue.Retain([](const IpAddress& address) { return address == Nth(3); });
  for (const auto& sent : Run(queue, kStart + 100 * kMillisecond, kNever - 1)) EXPECT(sent.what.address == Nth(3));
  queue.Add(Nth(1));
  queue.Retain([](const IpAddress&) { return false; });
  EXPECT_EQ(queue.Deadline(), kNever);
}

TEST("asking again starts again, without doubling what waits") {
  AnnouncementQueue queue({.rounds = 3});
  for (int i = 0; i < 10; i++) queue.Add(Nth(1));
  EXPECT_EQ(Run(queue, kStart, kStart + 1500 * kMillisecond).size(), 4u);
  queue.Add(Nth(1));
  EXPECT_EQ(Run(queue, kStart + 1500 * kMillisecond, kNever - 1).size(), 6u);
}

TEST("asking again does not lose the place in line") {
  AnnouncementQueue queue({.rounds = 1});
  for (const uint32_t n : {1u, 2u, 1u}) queue.Add(Nth(n));
  for (const uint32_t n : {3u, 4u, 3u}) queue.Probe(Nth(n));
  ExpectLines(Run(queue, kStart, kStart), {"10.0.0.3 probe", "10.0.0.4 probe", "10.0.0.1 request", "10.0.0.2 request",
                                           "10.0.0.1 reply", "10.0.0.2 reply"});
}

TEST("another number of rounds") {
  const struct {
    const char* label;
    const char* address;
    uint32_t first, second;  // rounds asked for, one after the other
    size_t frames;
  } rows[] = {
      {"a single round", "192.0.2.1", 1, 0, 2},
      {"no round", "192.0.2.1", 0, 0, 0},
      {"more than the schedule has", "192.0.2.1", 7, 0, 14},
      {"fewer do not cut short what was asked for before", "192.0.2.1", 4, 1, 8},
      {"more replace fewer", "192.0.2.1", 1, 4, 8},
      {"IPv6 keeps to its bound", "2001:db8::1", 7, 0, 3},
      {"a single IPv6 round", "2001:db8::1", 1, 0, 1},
  };
  for (const auto& row : rows) {
    AnnouncementQueue queue({});
    queue.Add(Ip(row.address), row.first);
    queue.Add(Ip(row.address), row.second);
    EXPECT_EQ(Run(queue, kStart, kNever - 1).size(), row.frames, row.label);
  }
}

TEST("a single round in the midst of others starts at once and leaves the others") {
  AnnouncementQueue queue({});
  queue.Add(Nth(1));
  EXPECT_EQ(Run(queue, kStart, kStart + 500 * kMillisecond).size(), 2u);
  queue.Add(Nth(1), 1);
  const auto sent = Run(queue, kStart + 500 * kMillisecond, kNever - 1);
  if (!EXPECT_EQ(sent.size(), 8u)) return;
  EXPECT_EQ(sent[0].at, kStart + 500 * kMillisecond);
  EXPECT_EQ(sent[2].at, kStart + 1600 * kMillisecond);
}

TEST("every round has an order of its own, which the seed decides") {
  constexpr uint32_t kCount = 300;
  const auto orders = [](uint64_t seed) {
    AnnouncementQueue queue({.seed = seed});
    for (uint32_t i = 0; i < kCount; i++) queue.Add(Nth(i));
    std::vector<std::vector<std::string>> rounds;
    for (const Sent& sent : Run(queue, kStart, kNever - 1)) {
      if (sent.what.frame != Frame::kArpRequest) continue;
      if (rounds.empty() || rounds.back().size() == kCount) rounds.emplace_back();
      rounds.back().push_back(Format(sent.what.address));
    }
    return rounds;
  };
  const auto rounds = orders(1);
  if (!EXPECT_EQ(rounds.size(), 5u)) return;
  for (size_t i = 0; i < 5; i++) {
    EXPECT_EQ(std::set(rounds[i].begin(), rounds[i].end()).size(), kCount);  // nobody is a round ahead
    for (size_t j = 0; j < i; j++) {
      size_t same_third = 0;
      const std::set<std::string> first(rounds[j].begin(), rounds[j].begin() + kCount / 3);
      for (size_t n = 0; n < kCount / 3; n++) same_third += first.count(rounds[i][n]);
      // A third of them by chance, all of them in a fixed order.
      EXPECT(same_third < kCount / 6);
    }
  }
  EXPECT(orders(1) == rounds);
  EXPECT(orders(2) != rounds);
}

TEST("after its rounds an address is refreshed, a quarter sooner or later, until it is forgotten") {
  constexpr Nanoseconds kRefresh = 60'000 * kMillisecond;
  constexpr uint32_t kCount = 400;
  AnnouncementQueue queue({.rounds = 1, .refresh = kRefresh});
  for (uint32_t i = 0; i < kCount; i++) queue.Add(i % 2 == 0 ? Nth(i) : Ip("2001:db8::1"));
  std::map<std::string, std::vector<Nanoseconds>> times;
  const auto sent = Run(queue, kStart, kStart + 10 * kRefresh);
  for (const Sent& entry : sent) times[Describe(entry.what)].push_back(entry.at);
  EXPECT_EQ(times.size(), size_t{kCount} + 1);  // two forms of every IPv4 address, one IPv6 address
  for (const auto& [line, at] : times) {
    EXPECT(at.size() >= 8 && at.size() <= 14);
    for (size_t i = 1; i < at.size(); i++) {
      const Nanoseconds gap = at[i] - at[i - 1];
      // What had to wait for the pace comes on top.
      if (gap < kRefresh * 3 / 4 || gap > kRefresh * 5 / 4 + 1500 * kMillisecond) EXPECT_EQ(gap, kRefresh, line);
    }
  }
  queue.Retain([](const IpAddress&) { return false; });
  EXPECT_EQ(queue.Deadline(), kNever);
}

TEST("refreshes are spread, and wake only when one is due") {
  constexpr Nanoseconds kRefresh = 3'600'000 * kMillisecond;
  constexpr uint32_t kCount = 10'000;
  AnnouncementQueue queue({.rounds = 1, .refresh = kRefresh});
  for (uint32_t i = 0; i < kCount; i++) queue.Add(Nth(i));
  const Nanoseconds settled = kStart + 100'000 * kMillisecond;
  EXPECT_EQ(Run(queue, kStart, settled).size(), 2 * size_t{kCount});
  std::map<Nanoseconds, size_t> per_minute;
  std::set<Nanoseconds> wakeups;
  size_t rounds = 0;
  for (const Sent& sent : Run(queue, settled, settled + 3 * kRefresh)) {
    per_minute[(sent.at - settled) / (60'000 * kMillisecond)] += 1;
    wakeups.insert(sent.at);
    rounds += sent.what.frame == Frame::kArpRequest ? 1 : 0;
  }
  EXPECT(rounds > 2 * kCount);
  EXPECT(wakeups.size() <= rounds);
  // The first ones fall into 30 minutes, 667 frames in each; all at once would be 20,000.
  for (const auto& [minute, frames] : per_minute) {
    if (frames > 900) EXPECT_EQ(frames, 667u, std::to_string(minute));
  }
}

TEST("a refresh goes after everything else") {
  AnnouncementQueue queue({.rounds = 2, .refresh = 10'000 * kMillisecond});
  queue.SetUnicastTargets(Targets(1));
  queue.Add(Nth(1), 1);
  Run(queue, kStart, kStart + 1000 * kMillisecond);
  queue.Add(Nth(2));
  Run(queue, kStart + 1000 * kMillisecond, kStart + 2000 * kMillisecond);
  // Everything is due now: nobody has looked for long.
  queue.Add(Nth(3), 1);
  queue.Probe(Nth(4));
  std::array<DueAnnouncement, 64> due;
  const Nanoseconds late = kStart + 60'000 * kMillisecond;
  std::vector<Sent> sent;
  const size_t count = queue.Take(late, due);
  for (size_t i = 0; i < count; i++) sent.push_back({late, due[i]});
  ExpectLines(sent, {
                        "10.0.0.4 probe",
                        "10.0.0.3 request",
                        "10.0.0.3 reply",
                        "10.0.0.3 to 10.0.195.80",
                        "10.0.0.2 request",
                        "10.0.0.2 reply",
                        "10.0.0.2 to 10.0.195.80",
                        "10.0.0.1 request",
                        "10.0.0.1 reply",
                        "10.0.0.1 to 10.0.195.80",
                    });
}

TEST("a refresh under way lets everything else pass") {
  AnnouncementQueue queue({.rounds = 1, .refresh = 10'000 * kMillisecond});
  queue.SetUnicastTargets(Targets(1));
  queue.Add(Nth(1));
  Run(queue, kStart, kStart + 1000 * kMillisecond);
  const Nanoseconds late = kStart + 60'000 * kMillisecond;
  std::vector<Sent> sent;
  const auto take = [&](size_t count) {
    std::array<DueAnnouncement, 4> due;
    if (EXPECT_EQ(queue.Take(late, std::span(due).first(count)), count)) {
      for (size_t i = 0; i < count; i++) sent.push_back({late, due[i]});
    }
  };
  take(1);
  queue.Add(Nth(2));
  take(4);
  queue.Add(Nth(3));
  take(4);
  ExpectLines(sent, {
                        "10.0.0.1 request",
                        "10.0.0.2 request",
                        "10.0.0.2 reply",
                        "10.0.0.2 to 10.0.195.80",
                        "10.0.0.1 reply",
                        "10.0.0.3 request",
                        "10.0.0.3 reply",
                        "10.0.0.3 to 10.0.195.80",
                        "10.0.0.1 to 10.0.195.80",
                    });
}

TEST("refreshes that the pace cannot keep up with do not pile up") {
  AnnouncementQueue queue({.rounds = 1, .frames_per_second = 100, .refresh = 1000 * kMillisecond});
  queue.SetUnicastTargets(Targets(256));
  queue.Add(Nth(1));
  const Nanoseconds later = kStart + 60'000 * kMillisecond;
  Run(queue, kStart, later);
  queue.SetUnicastTargets(Targets(1));
  EXPECT(Run(queue, later, later + 500 * kMillisecond).size() < 5);
}

TEST("a refresh keeps to RFC 4861, whatever the schedule says") {
  AnnouncementQueue queue({.rounds = 1, .refresh = kMillisecond});
  queue.Add(Ip("2001:db8::1"));
  const auto sent = Run(queue, kStart, kStart + 10'000 * kMillisecond);
  EXPECT_EQ(sent.size(), 11u);
  for (size_t i = 1; i < sent.size(); i++) EXPECT(sent[i].at - sent[i - 1].at >= 1000 * kMillisecond);
}

TEST("every round ends with one frame to each target of the family") {
  AnnouncementQueue queue({.rounds = 2});
  queue.SetUnicastTargets({Target(Ip("192.0.2.1")), Target(Ip("2001:db8::a")), Target(Ip("192.0.2.2"))});
  queue.Add(Ip("198.18.0.1"));
  queue.Add(Ip("2001:db8::1"));
  const auto sent = Run(queue, kStart, kStart + 1000 * kMillisecond);
  ExpectLines(sent, {
                        "198.18.0.1 request",
                        "2001:db8::1 advertisement",
                        "198.18.0.1 reply",
                        "2001:db8::1 to 2001:db8::a",
                        "198.18.0.1 to 192.0.2.1",
                        "198.18.0.1 to 192.0.2.2",
                    });
  for (const Sent& entry : sent) {
    if (IsUnicast(entry.what)) EXPECT(entry.what.target.mac == Target(entry.what.target.address).mac);
  }
  EXPECT_EQ(Run(queue, kStart + 1000 * kMillisecond, kNever - 1).size(), 6u);
  EXPECT_EQ(queue.kept(), 0u);
}

TEST("targets may change while they are told") {
  const struct {
    const char* label;
    uint32_t before, after;
    size_t frames;  // to targets, two rounds; four are out before the change
  } rows[] = {
      {"the same", 8, 8, 16},
      {"more", 8, 12, 24},
      {"fewer", 8, 6, 12},
      {"fewer than were told", 8, 2, 6},
      {"none", 8, 0, 4},
      {"from none", 0, 8, 8},
      {"as many as are kept", 8, 300, 2 * AnnouncementQueue::kMaxUnicastTargets},
  };
  for (const auto& row : rows) {
    AnnouncementQueue queue({.rounds = 2});
    queue.SetUnicastTargets(Targets(row.before));
    queue.Add(Nth(1));
    std::array<DueAnnouncement, 6> due;
    size_t frames = queue.Take(kStart, due) - 2;
    queue.SetUnicastTargets(Targets(row.after));
    for (const Sent& sent : Run(queue, kStart, kNever - 1)) frames += IsUnicast(sent.what) ? 1 : 0;
    EXPECT_EQ(frames, row.frames, row.label);
    EXPECT_EQ(queue.kept(), 0u, row.label);
  }
}

TEST("asking again begins again with the first target") {
  AnnouncementQueue queue({.rounds = 1});
  queue.SetUnicastTargets(Targets(3));
  queue.Add(Nth(1));
  std::array<DueAnnouncement, 4> due;
  EXPECT_EQ(queue.Take(kStart, due), 4u);
  queue.Add(Nth(1));
  ExpectLines(Run(queue, kStart, kNever - 1), {"10.0.0.1 request", "10.0.0.1 reply", "10.0.0.1 to 10.0.195.80",
                                               "10.0.0.1 to 10.0.195.81", "10.0.0.1 to 10.0.195.82"});
}

TEST("with many targets no address and no round starves") {
  constexpr uint32_t kCount = 500;
  AnnouncementQueue queue({});
  queue.SetUnicastTargets(Targets(100));
  for (uint32_t i = 0; i < kCount; i++) queue.Add(Nth(i));
  std::map<std::string, size_t> rounds, told;
  size_t frames = 0;
  for (const Sent& sent : Run(queue, kStart, kStart + 60'000 * kMillisecond)) {
    const std::string address = Format(sent.what.address);
    if (sent.what.frame == Frame::kArpReply) rounds[address] += 1;
    if (!IsUnicast(sent.what)) continue;
    // In the order of the targets, and the first is told of everyone before the second is told of anyone.
    EXPECT_EQ(Format(sent.what.target.address), Format(Nth(50'000 + static_cast<uint32_t>(told[address]))));
    told[address] += 1;
    EXPECT(told[address] <= frames / kCount + 1);
    frames += 1;
  }
  // All rounds are over while most targets still wait.
  EXPECT_EQ(rounds.size(), kCount);
  for (const auto& [address, count] : rounds) EXPECT_EQ(count, 5u, address);
  EXPECT(frames > 15'000 && frames < 20'000);
  queue.Add(Nth(9999));
  const auto sent = Run(queue, kStart + 60'000 * kMillisecond, kStart + 60'100 * kMillisecond);
  if (EXPECT(sent.size() > 1)) EXPECT(sent[0].what.address == Nth(9999) && sent[1].what.address == Nth(9999));
}

TEST("three probes, 350 ms apart, whether or not the address is announced") {
  const struct {
    const char* address;
    Frame frame;
    bool announced;
  } rows[] = {
      {"192.0.2.1", Frame::kArpProbe, false},
      {"192.0.2.1", Frame::kArpProbe, true},
      {"2001:db8::1", Frame::kDadSolicitation, false},
      {"2001:db8::1", Frame::kDadSolicitation, true},
  };
  for (const auto& row : rows) {
    AnnouncementQueue queue({});
    if (row.announced) queue.Add(Ip(row.address));
    queue.Probe(Ip(row.address));
    queue.Probe(Ip(row.address));
    std::vector<Nanoseconds> times;
    size_t others = 0;
    for (const Sent& sent : Run(queue, kStart, kNever - 1)) {
      if (sent.what.frame == row.frame) {
        if (times.empty()) EXPECT_EQ(others, 0u, row.address);
        times.push_back(sent.at);
      } else {
        others += 1;
      }
    }
    EXPECT(times == (std::vector{kStart, kStart + 350 * kMillisecond, kStart + 700 * kMillisecond}));
    const size_t announcements = Ip(row.address).family == Family::kIpv4 ? 10 : 3;
    EXPECT_EQ(others, row.announced ? announcements : 0, row.address);
    EXPECT_EQ(queue.kept(), 0u, row.address);
  }
}

TEST("probes go before announcements, and are forgotten with them") {
  AnnouncementQueue queue({});
  for (uint32_t i = 0; i < 100; i++) queue.Add(Nth(i));
  Run(queue, kStart, kStart);
  for (uint32_t i = 200; i < 220; i++) queue.Probe(Nth(i));
  const auto sent = Run(queue, kStart, kStart + 60 * kMillisecond);
  EXPECT(sent.size() > 20);
  for (size_t i = 0; i < sent.size(); i++) EXPECT_EQ(sent[i].what.frame == Frame::kArpProbe, i < 20);
  queue.Retain([](const IpAddress& address) { return address == Nth(210); });
  EXPECT_EQ(Run(queue, kStart + 60 * kMillisecond, kNever - 1).size(), 2u);
  queue.Probe(Nth(1));
  queue.Clear();
  EXPECT_EQ(queue.Deadline(), kNever);
}

TEST("what the kernel does not take goes first after a pause, and once") {
  AnnouncementQueue queue({.rounds = 2});
  queue.SetUnicastTargets(Targets(1));
  queue.Add(Nth(1));
  std::array<DueAnnouncement, 64> due;
  if (!EXPECT_EQ(queue.Take(kStart, due), 3u)) return;
  queue.GiveBack(std::span(due).subspan(1, 2), kStart);
  queue.Add(Nth(2));
  queue.Probe(Nth(3));
  // The transmit queue is full for everyone.
  EXPECT_EQ(queue.Deadline(), kStart + 20 * kMillisecond);
  EXPECT_EQ(queue.Take(kStart + 19 * kMillisecond, due), 0u);
  const auto sent = Run(queue, kStart, kNever - 1);
  ExpectLines({sent.begin(), sent.begin() + std::min<ptrdiff_t>(6, std::ssize(sent))},
              {"10.0.0.1 reply", "10.0.0.1 to 10.0.195.80", "10.0.0.3 probe", "10.0.0.2 request", "10.0.0.2 reply",
               "10.0.0.2 to 10.0.195.80"});
  // Two rounds of three frames for each address, three probes; one frame is out already.
  EXPECT_EQ(sent.size(), 14u);
  EXPECT_EQ(queue.kept(), 0u);
}

TEST("frames given back in part keep their order") {
  AnnouncementQueue queue({.rounds = 1});
  for (const uint32_t n : {1u, 2u}) queue.Add(Nth(n));
  std::array<DueAnnouncement, 4> due;
  EXPECT_EQ(queue.Take(kStart, due), 4u);
  queue.GiveBack(due, kStart);
  const Nanoseconds again = queue.Deadline();
  EXPECT_EQ(queue.Take(again, std::span(due).first(2)), 2u);
  queue.GiveBack(std::span(due).subspan(1, 1), again);
  ExpectLines(Run(queue, again, kNever - 1), {"10.0.0.2 request", "10.0.0.1 reply", "10.0.0.2 reply"});
}

TEST("frames given back do not use up the pace") {
  AnnouncementQueue queue({});
  for (uint32_t i = 0; i < 64; i++) queue.Add(Nth(i));
  std::array<DueAnnouncement, 64> due;
  for (Nanoseconds now = kStart; now < kStart + 200 * kMillisecond; now = queue.Deadline()) {
    if (!EXPECT_EQ(queue.Take(now, due), 64u)) return;
    queue.GiveBack(due, now);
  }
  EXPECT_EQ(queue.Take(queue.Deadline(), due), 64u);
}

TEST("nothing is lost, doubled or sent too close while the kernel takes few frames") {
  std::mt19937 engine(3);
  AnnouncementQueue queue({});
  queue.SetUnicastTargets(Targets(2));
  for (uint32_t i = 0; i < 50; i++) queue.Add(Nth(i));
  for (uint32_t i = 0; i < 10; i++) queue.Probe(Nth(i));
  queue.Add(Ip("2001:db8::1"));
  std::map<std::string, std::vector<Nanoseconds>> times;
  for (Nanoseconds now = kStart; now != kNever; now = std::max(now, queue.Deadline())) {
    if (queue.Deadline() == kNever) break;
    std::array<DueAnnouncement, 64> due;
    const size_t count = queue.Take(now, due);
    // For 3 s it takes nothing at all.
    const size_t taken = now > kStart + 500 * kMillisecond && now < kStart + 3500 * kMillisecond ? 0 : engine() % 9;
    queue.GiveBack(std::span(due).first(count).subspan(std::min(count, taken)), now);
    for (size_t i = 0; i < std::min(count, taken); i++) times[Describe(due[i])].push_back(now);
  }
  EXPECT_EQ(times.size(), 50u * 4 + 10 + 1);
  for (const auto& [line, at] : times) {
    const bool probe = line.ends_with("probe");
    EXPECT_EQ(at.size(), probe || line.ends_with("advertisement") ? 3u : 5u, line);
    if (!probe && !line.ends_with("reply") && !line.ends_with("advertisement")) continue;
    const Nanoseconds apart = probe ? AnnouncementQueue::kProbeInterval : 1000 * kMillisecond;
    for (size_t i = 1; i < at.size(); i++) EXPECT(at[i] - at[i - 1] >= apart);
  }
}

TEST("what was given back is forgotten with its address") {
  AnnouncementQueue queue({.rounds = 1});
  for (uint32_t i = 0; i < 10; i++) queue.Add(Nth(i));
  std::array<DueAnnouncement, 64> due;
  const size_t count = queue.Take(kStart, due);
  EXPECT_EQ(count, 20u);
  queue.GiveBack(std::span(due).first(count), kStart);
  queue.Retain([](const IpAddress& address) { return address == Nth(3); });
  ExpectLines(Run(queue, kStart, kNever - 1), {"10.0.0.3 request", "10.0.0.3 reply"});
  queue.GiveBack(std::span(due).first(count), kStart);
  queue.Clear();
  EXPECT_EQ(queue.Deadline(), kNever);
}

TEST("memory is bounded by the addresses, whatever is asked for how often") {
  constexpr uint32_t kCount = 1000;
  AnnouncementQueue queue({.refresh = 3'600'000 * kMillisecond});
  queue.SetUnicastTargets(Targets(256));
  std::mt19937 engine(5);
  Nanoseconds now = kStart;
  size_t most = 0;
  for (int step = 0; step < 400; step++) {
    for (uint32_t i = 0; i < kCount; i++) {
      queue.Add(Nth(i));
      if (i % 4 == 0) queue.Probe(Nth(i));
    }
    if (step % 3 == 0) queue.Retain([&engine](const IpAddress&) { return engine() % 2 == 0; });
    most = std::max(most, queue.kept());
    Run(queue, now, now + 10'000 * kMillisecond);
    most = std::max(most, queue.kept());
    now += 10'000 * kMillisecond;
  }
  EXPECT(most > kCount);
  EXPECT(most <= 4 * kCount + 64);
  queue.Retain([](const IpAddress&) { return false; });
  EXPECT(queue.kept() <= 64);
}

namespace {

// A switch that lets 512 ARP frames a second through to its CPU, 512 at once, and drops the rest.
class PolicingSwitch {
 public:
  void Receive(Nanoseconds now, const IpAddress& address) {
    tokens_ = std::min(kBurst, tokens_ + static_cast<double>(now - last_) / 1e9 * kPerSecond);
    last_ = now;
    if (tokens_ < 1) return;
    tokens_ -= 1;
    learnt_.insert(address.bytes);
  }
  [[nodiscard]] size_t learnt() const { return learnt_.size(); }

 private:
  static constexpr double kPerSecond = 512;
  static constexpr double kBurst = 512;
  double tokens_ = kBurst;
  Nanoseconds last_ = kStart;
  std::set<std::array<uint8_t, 16>> learnt_;
};

}  // namespace

TEST("simulation: a switch that polices ARP learns all of 10,000 addresses, and few that are not paced") {
  constexpr uint32_t kCount = 10'000;
  PolicingSwitch paced;
  AnnouncementQueue queue({});
  for (uint32_t i = 0; i < kCount; i++) queue.Add(Nth(i));
  for (const Sent& sent : Run(queue, kStart, kNever - 1)) paced.Receive(sent.at, sent.what.address);
  EXPECT_EQ(paced.learnt(), kCount);

  // MetalLB's way: every 1.1 s, five times, both forms of all addresses, as fast as Go sends them (10 us a frame), in
  // the random order of Go's maps.
  PolicingSwitch unpaced;
  std::mt19937 engine(1);
  std::vector<IpAddress> order;
  for (uint32_t i = 0; i < kCount; i++) order.push_back(Nth(i));
  for (Nanoseconds round = 0; round < 5; round++) {
    std::ranges::shuffle(order, engine);
    Nanoseconds now = kStart + round * 1100 * kMillisecond;
    for (const IpAddress& address : order) {
      for (int form = 0; form < 2; form++) {
        unpaced.Receive(now, address);
        now += 10'000;
      }
    }
  }
  EXPECT(unpaced.learnt() > kCount / 20);
  EXPECT(unpaced.learnt() < kCount / 4);
}

}  // namespace garpoon::test
