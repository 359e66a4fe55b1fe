// What JavaScript asked to be sent about addresses, until it is in the queues of the interfaces. Pure.
//
// It is handed on a piece at a time: with 100,000 addresses all of it at once would keep the packet thread from
// answering for a tenth of a second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "address.h"

namespace garpoon {

struct AnnounceOrder {
  enum class Kind : uint8_t { kAnnounce, kProbe };
  IpAddress address;
  Kind kind = Kind::kAnnounce;
  uint32_t rounds = 0;  // of kAnnounce; 0: as many as the schedule says
};

// Keeps them in order, unless there are more than an address table has room for: then each is kept once, the longer of
// two announcements, and they are ordered by address.
void Append(std::vector<AnnounceOrder>& orders, std::vector<AnnounceOrder> more);

class AnnounceBacklog {
 public:
  static constexpr int kEveryInterface = 0;

  void Add(std::vector<AnnounceOrder> orders);
  // Only for the interface with this index, instead of what was left for it alone.
  void Replace(int interface_index, std::vector<AnnounceOrder> orders);
  void Clear() { parts_.clear(); }
  [[nodiscard]] bool empty() const { return parts_.empty(); }

  // Calls `hand_on(order, interface_index)` for the next ones, `limit` at most.
  template <typename HandOn>
  void Take(size_t limit, HandOn hand_on) {
    while (limit > 0 && !parts_.empty()) {
      Part& part = parts_.front();
      for (; limit > 0 && part.next < part.orders.size(); limit--) {
        hand_on(part.orders[part.next++], part.interface_index);
      }
      if (part.next == part.orders.size()) parts_.pop_front();
    }
  }

 private:
  struct Part {
    std::vector<AnnounceOrder> orders;
    int interface_index;
    size_t next = 0;  // those before it have been taken
  };
  // At most one of each interface; of kEveryInterface there may be several, never two in a row.
  std::deque<Part> parts_;
};

}  // namespace garpoon
