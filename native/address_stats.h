// What is counted by address, and for how long: native/stats.h counts for the node.
//
//   compiler thread                    packet thread                  JavaScript thread
//   StatsFor --> table --> Publish --> AddressTable::StatsOf, Add --> Pack
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "address.h"
#include "address_table.h"

namespace garpoon {

// The packet thread is the only writer, as of Stats.
class AddressStats {
 public:
  // Requests and solicitations that asked for the address where it is answered for; what was answered of them; and the
  // frames that announced it.
  enum class Counter : size_t { kRequestsReceived, kResponsesSent, kGratuitousSent };
  static constexpr size_t kCounters = 3;

  // Packet thread only.
  void Add(Counter counter) {
    std::atomic<uint64_t>& word = words_[static_cast<size_t>(counter)];
    word.store(word.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  [[nodiscard]] uint64_t Get(Counter counter) const {
    return words_[static_cast<size_t>(counter)].load(std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t> words_[kCounters]{};
};

// The packed form of one address's stats, as it goes to JavaScript:
//   0 address (IPv4 in the first 4, the rest zero) | 16 family (4 or 6) | 17 zeros | 24 the counters, 8 bytes each, in
//   their order and in the byte order of the machine
inline constexpr size_t kPackedStatsSize = 24 + 8 * AddressStats::kCounters;

// Whose stats there are: of the addresses of the last table, and of those that left it last. Those go on where they
// stopped when they come back, and what was counted of them since JavaScript last looked is not lost.
class AddressLedger {
 public:
  static constexpr size_t kMaxDeparted = 1024;

  // Compiler thread only, as the next: the stats of the announcements, in their order.
  [[nodiscard]] std::vector<std::shared_ptr<AddressStats>> StatsFor(std::span<const Announcement> announcements) const;
  // `table` has the stats that StatsFor() made for it, and replaces one that has the `removed` addresses besides.
  void Publish(std::shared_ptr<const AddressTable> table, std::span<const IpAddress> removed);

  // Any thread, and waits for none: kPackedStatsSize bytes of each address, in no order.
  [[nodiscard]] std::vector<uint8_t> Pack() const;

 private:
  struct Departed {
    IpAddress address;
    std::shared_ptr<AddressStats> stats;
  };

  mutable std::mutex mutex_;  // over what follows where it is changed, and where another thread reads it
  std::shared_ptr<const AddressTable> table_ = std::make_shared<AddressTable>();
  std::list<Departed> departed_;  // the longest gone first; at most kMaxDeparted
  std::unordered_map<IpAddress, std::list<Departed>::iterator> by_address_;  // the same
};

}  // namespace garpoon
