// What one interface still owes its neighbours, in the order and at the pace it goes out: gratuitous announcements, and
// the probes that look for another owner. Pure: time is a parameter, in nanoseconds on CLOCK_MONOTONIC, and chance
// comes from a seed.
//
// Switches let only a few hundred ARP and NDP frames a second through to what learns from them, and drop the rest. So
// frames are paced, every address gets its first frame before any gets its second, and the addresses are repeated in
// another order each time: a switch that drops some does not drop the same ones in every round.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "address.h"
#include "nanoseconds.h"
#include "unicast_target.h"

namespace garpoon {

struct AnnouncementSchedule {
  uint32_t rounds = 5;  // how often an address is announced in all
  Nanoseconds interval = 1100 * kMillisecond;
  uint32_t frames_per_second = 400;  // at least 1
  uint32_t burst = 64;               // frames that may go out at once after a pause; at least 1
  Nanoseconds refresh = 0;           // after its rounds an address is announced once in such a time; 0: it is not
  uint64_t seed = 0;                 // of the order of repeats and the times of refreshes
};

struct DueAnnouncement {
  enum class Frame : uint8_t {
    kArpRequest,
    kArpReply,
    kNeighborAdvertisement,
    kUnicastArp,
    kUnicastAdvertisement,
    kArpProbe,
    kDadSolicitation,
  };
  IpAddress address;
  Frame frame;
  UnicastTarget target{};  // of the unicast frames
};

// Packet thread only.
class AnnouncementQueue {
 public:
  // RFC 4861 section 7.2.6 bounds unsolicited advertisements: MAX_NEIGHBOR_ADVERTISEMENT, RETRANS_TIMER.
  static constexpr uint32_t kMaxAdvertisements = 3;
  static constexpr Nanoseconds kMinAdvertisementInterval = 1000 * kMillisecond;
  // As many as PROBE_NUM of RFC 5227 section 1.1, but closer: its 1 to 2 seconds, like the RetransTimer of RFC 4862
  // section 5.4, are meant for hosts that wait before they use an address. A Service is not kept waiting.
  static constexpr uint32_t kProbes = 3;
  static constexpr Nanoseconds kProbeInterval = 350 * kMillisecond;
  static constexpr size_t kMaxUnicastTargets = 256;
  // For the kernel to empty a full transmit queue.
  static constexpr Nanoseconds kBackoff = 20 * kMillisecond;

  explicit AnnouncementQueue(const AnnouncementSchedule& schedule) : schedule_(schedule), random_{schedule.seed} {}

  // Announces the address from now on, all rounds, whatever it still had to go.
  void Add(const IpAddress& address) { Add(address, schedule_.rounds); }
  // The same in another number of rounds, or in as many as it still had to go if those are more.
  void Add(const IpAddress& address, uint32_t rounds);

  // Asks whether another host has the address. Whether it is announced as well makes no difference.
  void Probe(const IpAddress& address);

  // In every round an address is also sent to each of these that is of its family. The first kMaxUnicastTargets are
  // kept, and are told in this order. Rounds under way go on at the same place in the new list.
  void SetUnicastTargets(const std::vector<UnicastTarget>& targets);

  // Forgets the addresses for which `keep` is false.
  template <typename Keep>
  void Retain(Keep keep) {
    std::erase_if(owed_, [&keep](const auto& entry) { return !keep(entry.first); });
    std::erase_if(returned_, [&keep](const DueAnnouncement& frame) { return !keep(frame.address); });
    DropStale();
  }

  void Forget(const IpAddress& address);

  // Forgets all addresses, not the targets.
  void Clear();

  // Fills `out` with what is due and within the pace, and returns how many. An IPv4 round is two frames to everyone.
  [[nodiscard]] size_t Take(Nanoseconds now, std::span<DueAnnouncement> out);

  // Frames of the last Take() that did not go out because the transmit queue is full. They are the first to go when
  // there is room again; until then nothing is due.
  void GiveBack(std::span<const DueAnnouncement> unsent, Nanoseconds now);

  // When Take() will have something, kNever when nothing is owed.
  [[nodiscard]] Nanoseconds Deadline();

  // Tickets and frames in memory: at most four for an address, and a few.
  [[nodiscard]] size_t kept() const { return Waiting() + ended_.size() + later_.size(); }

 private:
  // A place in line. A round takes its ticket from frame to frame and from round to round; the frames to the targets
  // have one of their own, because there may be too many of them for the next round to wait for.
  struct Ticket {
    uint64_t number;
    IpAddress address;
    uint32_t step = 0;  // the next frame of the round: the forms to everyone, then the targets
  };
  // By priority, but that kUnicast and kRepeat take turns: neither may starve the other.
  enum class Lane : uint8_t { kProbe, kFresh, kSecond, kUnicast, kRepeat, kRefresh };
  static constexpr size_t kLanes = 6;
  struct Timer {
    Nanoseconds due;
    Lane lane;
    Ticket ticket;
    bool operator>(const Timer& other) const { return due > other.due; }
  };
  // Tickets that count have their numbers here, 0 is none. Any other ticket is stale and passed over.
  struct Owed {
    uint64_t round = 0;
    uint64_t unicast = 0;
    uint64_t probe = 0;
    uint32_t rounds = 0;  // the one under way included; 0 when there are only refreshes to come
    uint32_t passes = 0;  // over the targets, the one under way included
    uint32_t probes = 0;
    bool fresh = false;  // waits for the first frame since Add()
    [[nodiscard]] bool Has(uint64_t number) const { return number == round || number == unicast || number == probe; }
    [[nodiscard]] bool nothing() const { return round == 0 && unicast == 0 && probe == 0; }
  };
  using OwedEntry = std::unordered_map<IpAddress, Owed>::iterator;
  // SplitMix64, as std::shuffle wants it.
  struct Random {
    using result_type = uint64_t;
    uint64_t state;
    static constexpr uint64_t min() { return 0; }
    static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }
    uint64_t operator()();
  };

  [[nodiscard]] std::deque<Ticket>& lane(Lane which) { return lanes_[static_cast<size_t>(which)]; }
  [[nodiscard]] const std::vector<UnicastTarget>& targets(Family family) const {
    return family == Family::kIpv4 ? ipv4_targets_ : ipv6_targets_;
  }
  [[nodiscard]] Nanoseconds PerFrame() const { return 1'000'000'000 / schedule_.frames_per_second; }
  [[nodiscard]] Nanoseconds Interval(Family family) const;
  [[nodiscard]] Nanoseconds RefreshDelay();

  [[nodiscard]] size_t Waiting() const;
  [[nodiscard]] bool IsCurrent(const Ticket& ticket) const;
  [[nodiscard]] bool HasFrame(Ticket& ticket);
  [[nodiscard]] bool IsReady(Lane which);
  [[nodiscard]] std::optional<Lane> NextLane();
  [[nodiscard]] bool BeginWave();
  void DropStale();

  void Later(Nanoseconds due, Lane which, const Ticket& ticket);
  Timer PopTimer();
  void Promote(Nanoseconds now);

  [[nodiscard]] bool TakeOne(Nanoseconds now, DueAnnouncement& out);
  [[nodiscard]] DueAnnouncement TakeReturned(Nanoseconds now);
  [[nodiscard]] DueAnnouncement FrameOf(Lane which, const Ticket& ticket) const;
  void Advance(Lane which, const Ticket& ticket, Nanoseconds now);
  void EndProbe(OwedEntry entry, const Ticket& ticket, Nanoseconds now);
  void EndRound(OwedEntry entry, const Ticket& ticket, Nanoseconds now);
  void AddPass(Owed& owed, const IpAddress& address);
  void ForgetIfDone(OwedEntry entry);

  AnnouncementSchedule schedule_;
  Random random_;
  std::vector<UnicastTarget> ipv4_targets_;
  std::vector<UnicastTarget> ipv6_targets_;
  std::unordered_map<IpAddress, Owed> owed_;

  // Where the tickets are:
  //
  //   Probe --> kProbe <--> later_
  //   Add --> kFresh --> kSecond --> ended_ --> later_ --> gathered_ --> kRepeat --> kSecond ...
  //                             \--> kUnicast         \--> kRefresh <--> later_
  //
  // Addresses whose rounds end while others still have frames of theirs to go are one wave. They are repeated at the
  // same time, so that their order can be drawn anew. What falls due while a wave is repeated is the next one.
  std::array<std::deque<Ticket>, kLanes> lanes_;
  std::vector<Ticket> ended_;
  Nanoseconds ended_at_ = 0;      // when the last of ended_ did
  std::vector<Timer> later_;      // a heap, the earliest at the front
  std::vector<Ticket> gathered_;  // due repeats
  uint64_t last_number_ = 0;
  bool unicast_turn_ = true;

  std::deque<DueAnnouncement> returned_;  // goes before everything else
  Nanoseconds blocked_until_ = 0;
  // The pace as a virtual clock: every frame moves it on by PerFrame(), and it may run ahead of time by `burst` frames.
  Nanoseconds paced_until_ = 0;
};

}  // namespace garpoon
