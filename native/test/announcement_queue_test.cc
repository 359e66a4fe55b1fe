#include "../announcement_queue.h"

#include <map>
#include <random>

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

struct Sent {
  Nanoseconds at;
  DueAnnouncement what;
};

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
  AnnouncementQueue queue({});
  std::vector<Nanoseconds> times;
  Nanoseconds now = kStart;
  for (int step = 0; step < 300; step++) {
    for (uint32_t i = random(80); i > 0; i--) queue.Add(random(5) != 0 ? Nth(random(500)) : Ip("2001:db8::1"));
    const Nanoseconds until = now + random(400) * kMillisecond;
    for (const auto& sent : Run(queue, now, until)) times.push_back(sent.at);
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

}  // namespace garpoon::test
