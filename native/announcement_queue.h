// The gratuitous announcements one interface still owes, in the order and at the pace they go out. Pure: time is a
// parameter, in nanoseconds on CLOCK_MONOTONIC.
//
// Switches let only a few hundred ARP and NDP frames a second through to what learns from them, and drop the rest. So
// frames are paced, and every address gets its first frame before any gets its second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <queue>
#include <span>
#include <unordered_map>
#include <vector>

#include "address.h"

namespace garpoon {

using Nanoseconds = uint64_t;
inline constexpr Nanoseconds kNever = std::numeric_limits<Nanoseconds>::max();
inline constexpr Nanoseconds kMillisecond = 1'000'000;

struct AnnouncementSchedule {
  uint32_t rounds = 5;  // how often an address is announced in all
  Nanoseconds interval = 1100 * kMillisecond;
  uint32_t frames_per_second = 400;
  uint32_t burst = 64;  // frames that may go out at once after a pause
};

struct DueAnnouncement {
  enum class Frame : uint8_t { kArpRequest, kArpReply, kNeighborAdvertisement };
  IpAddress address;
  Frame frame;
};

// Packet thread only.
class AnnouncementQueue {
 public:
  // RFC 4861 section 7.2.6 bounds unsolicited advertisements: MAX_NEIGHBOR_ADVERTISEMENT, RETRANS_TIMER.
  static constexpr uint32_t kMaxAdvertisements = 3;
  static constexpr Nanoseconds kMinAdvertisementInterval = 1000 * kMillisecond;

  explicit AnnouncementQueue(const AnnouncementSchedule& schedule) : schedule_(schedule) {}

  // Announces the address from now on, all rounds, whatever it still had to go.
  void Add(const IpAddress& address);

  // Forgets the addresses for which `keep` is false.
  template <typename Keep>
  void Retain(Keep keep) {
    std::erase_if(owed_, [&keep](const auto& entry) { return !keep(entry.first); });
    if (owed_.empty()) Clear();
  }

  void Clear();

  // Fills `out` with what is due and within the pace, and returns how many. An IPv4 round is two frames.
  [[nodiscard]] size_t Take(Nanoseconds now, std::span<DueAnnouncement> out);

  // When Take() will have something, kNever when nothing is owed.
  [[nodiscard]] Nanoseconds Deadline();

 private:
  struct Owed {
    uint32_t rounds;      // the one under way included
    uint32_t generation;  // of the only ticket that counts
    bool started;         // a frame has been sent
  };
  struct Ticket {
    IpAddress address;
    uint32_t generation;
    Nanoseconds due;
    bool operator>(const Ticket& other) const { return due > other.due; }
  };

  [[nodiscard]] bool IsCurrent(const Ticket& ticket) const;
  void DropStale();
  [[nodiscard]] bool TakeOne(Nanoseconds now, DueAnnouncement& out);
  [[nodiscard]] DueAnnouncement BeginRound(const Ticket& ticket, Nanoseconds now);
  void EndRound(const Ticket& ticket, Nanoseconds now);
  [[nodiscard]] Nanoseconds PerFrame() const { return 1'000'000'000 / schedule_.frames_per_second; }

  AnnouncementSchedule schedule_;
  std::unordered_map<IpAddress, Owed> owed_;
  // An address has one current ticket, in one of these. Tickets of an earlier generation are passed over.
  std::deque<Ticket> first_;   // nothing sent of it yet
  std::deque<Ticket> second_;  // IPv4: the reply form of the round is to follow
  std::priority_queue<Ticket, std::vector<Ticket>, std::greater<>> repeats_;
  uint32_t generation_ = 0;
  // The pace as a virtual clock: every frame moves it on by PerFrame(), and it may run ahead of time by `burst` frames.
  Nanoseconds paced_until_ = 0;
};

}  // namespace garpoon
