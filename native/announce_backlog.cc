#include "announce_backlog.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "address_table.h"

namespace garpoon {

void Append(std::vector<AnnounceOrder>& orders, std::vector<AnnounceOrder> more) {
  if (orders.empty()) {
    orders = std::move(more);
  } else {
    orders.insert(orders.end(), more.begin(), more.end());
  }
  if (orders.size() <= kMaxAnnouncements) return;
  // Less one, 0 is the greatest.
  const auto rank = [](const AnnounceOrder& order) {
    return std::tuple(order.address.bytes, order.address.family, order.kind, ~(order.rounds - 1));
  };
  std::ranges::sort(orders, {}, rank);
  const auto same = [](const AnnounceOrder& a, const AnnounceOrder& b) {
    return a.address == b.address && a.kind == b.kind;
  };
  orders.erase(std::unique(orders.begin(), orders.end(), same), orders.end());
}

void AnnounceBacklog::Add(std::vector<AnnounceOrder> orders) {
  if (orders.empty()) return;
  if (parts_.empty() || parts_.back().interface_index != kEveryInterface) {
    parts_.push_back({std::move(orders), kEveryInterface});
    return;
  }
  Part& last = parts_.back();
  last.orders.erase(last.orders.begin(), last.orders.begin() + static_cast<ptrdiff_t>(last.next));
  last.next = 0;
  Append(last.orders, std::move(orders));
}

void AnnounceBacklog::Replace(int interface_index, std::vector<AnnounceOrder> orders) {
  std::erase_if(parts_, [&](const Part& part) { return part.interface_index == interface_index; });
  if (!orders.empty()) parts_.push_back({std::move(orders), interface_index});
}

}  // namespace garpoon
