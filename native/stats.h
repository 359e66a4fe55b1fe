// Counters that JavaScript reads straight from memory.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "drop_reason.h"

// X(enumerator, name in JavaScript)
#define GARPOON_COUNTERS(X)                                                                                 \
  X(kArpReceived, "arpReceived") /* ARP frames that passed the kernel's filter */                           \
  X(kArpAnswered, "arpAnswered")                                                                            \
  X(kNdpReceived, "ndpReceived") /* neighbour solicitations that passed the filter */                       \
  X(kNdpAnswered, "ndpAnswered")                                                                            \
  X(kGratuitousArpSent, "gratuitousArpSent") /* frames, of both forms */                                    \
  X(kUnsolicitedNaSent, "unsolicitedNaSent")                                                                \
  X(kProbesSent, "probesSent") /* ARP probes and DAD solicitations */                                       \
  X(kConflictsReported, "conflictsReported")                                                                \
  X(kConflictsSuppressed, "conflictsSuppressed") /* told before, or too many to tell */                     \
  X(kSilences, "silences")                       /* how often the control plane was silent for too long */  \
  X(kLapses, "lapses")                           /* how often the packet thread did not run for too long */ \
  X(kSendFailures, "sendFailures")               /* frames that the kernel did not take */                  \
  X(kKernelDrops, "kernelDrops")                 /* frames lost because a socket's buffer was full */       \
  X(kTableSwaps, "tableSwaps")                                                                              \
  X(kLinkChanges, "linkChanges")                                                                            \
  X(kLinkResyncs, "linkResyncs") /* the kernel's notifications overran, all links re-read */                \
  X(kGroupJoinFailures, "groupJoinFailures")                                                                \
  X(kSocketFailures, "socketFailures")                                                                      \
  X(kEventsDropped, "eventsDropped") /* JavaScript did not take its events in time */                       \
  X(kWakeups, "wakeups")             /* of the packet thread */

namespace garpoon {

enum class Counter : size_t {
#define GARPOON_X(enumerator, name) enumerator,
  GARPOON_COUNTERS(GARPOON_X)
#undef GARPOON_X
      kFirstDropReason,  // one counter per DropReason but kNone follows, in their order
};

#define GARPOON_X(enumerator, name) name,
inline constexpr std::array kCounterNames = {GARPOON_COUNTERS(GARPOON_X) GARPOON_DROP_REASONS(GARPOON_X)};
#undef GARPOON_X
inline constexpr size_t kCounterCount = kCounterNames.size();

// The packet thread is the only writer, so a plain load and store is an increment. Anyone may read at any time: each
// counter is one aligned 64-bit word, and no order between counters is promised.
class Stats {
 public:
  // Packet thread only.
  void Add(Counter counter, uint64_t amount = 1) { AddAt(static_cast<size_t>(counter), amount); }

  // Packet thread only. `reason` is not kNone.
  void Add(DropReason reason) {
    AddAt(static_cast<size_t>(Counter::kFirstDropReason) + static_cast<size_t>(reason) - 1, 1);
  }

  [[nodiscard]] uint64_t Get(Counter counter) const { return At(static_cast<size_t>(counter)); }
  [[nodiscard]] uint64_t Get(DropReason reason) const {
    return At(static_cast<size_t>(Counter::kFirstDropReason) + static_cast<size_t>(reason) - 1);
  }

  // kCounterCount words in the order of kCounterNames.
  [[nodiscard]] void* words() { return words_.data(); }

 private:
  using Word = std::atomic<uint64_t>;
  static_assert(Word::is_always_lock_free && sizeof(Word) == sizeof(uint64_t));

  void AddAt(size_t index, uint64_t amount) {
    words_[index].store(words_[index].load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  [[nodiscard]] uint64_t At(size_t index) const { return words_[index].load(std::memory_order_relaxed); }

  alignas(64) std::array<Word, kCounterCount> words_{};
};

}  // namespace garpoon
