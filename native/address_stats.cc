#include "address_stats.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace garpoon {
namespace {

// Into kPackedStatsSize bytes of zeros.
void PackOne(const IpAddress& address, const AddressStats& stats, uint8_t* out) {
  using Counter = AddressStats::Counter;
  std::memcpy(out, address.bytes.data(), address.bytes.size());
  out[16] = static_cast<uint8_t>(address.family);
  const std::array counters = {stats.Get(Counter::kRequestsReceived), stats.Get(Counter::kResponsesSent),
                               stats.Get(Counter::kGratuitousSent)};
  static_assert(24 + sizeof counters == kPackedStatsSize);
  std::memcpy(out + 24, counters.data(), sizeof counters);
}

}  // namespace

std::vector<std::shared_ptr<AddressStats>> AddressLedger::StatsFor(std::span<const Announcement> announcements) const {
  std::vector<std::shared_ptr<AddressStats>> all;
  all.reserve(announcements.size());
  for (const Announcement& announcement : announcements) {
    if (const Announcement* const before = table_->Find(announcement.address)) {
      all.push_back(table_->SharedStatsOf(*before));
    } else if (const auto departed = by_address_.find(announcement.address); departed != by_address_.end()) {
      all.push_back(departed->second->stats);
    } else {
      all.push_back(std::make_shared<AddressStats>());
    }
  }
  return all;
}

void AddressLedger::Publish(std::shared_ptr<const AddressTable> table, std::span<const IpAddress> removed) {
  removed = removed.last(std::min(removed.size(), kMaxDeparted));
  const std::lock_guard lock(mutex_);
  for (const IpAddress& address : removed) {
    const Announcement* const before = table_->Find(address);
    if (before == nullptr) continue;
    by_address_[address] = departed_.insert(departed_.end(), {address, table_->SharedStatsOf(*before)});
  }
  for (auto each = departed_.begin(); each != departed_.end();) {
    const bool back = table->Find(each->address) != nullptr;
    if (!back && departed_.size() <= kMaxDeparted) {
      ++each;
      continue;
    }
    by_address_.erase(each->address);
    each = departed_.erase(each);
  }
  // The one before is freed without the lock.
  table_.swap(table);
}

std::vector<uint8_t> AddressLedger::Pack() const {
  std::shared_ptr<const AddressTable> table;
  std::vector<Departed> departed;
  {
    const std::lock_guard lock(mutex_);
    table = table_;
    departed.assign(departed_.begin(), departed_.end());
  }
  std::vector<uint8_t> packed((table->announcements().size() + departed.size()) * kPackedStatsSize);
  uint8_t* next = packed.data();
  for (const Announcement& announcement : table->announcements()) {
    PackOne(announcement.address, table->StatsOf(announcement), next);
    next += kPackedStatsSize;
  }
  for (const auto& [address, stats] : departed) {
    PackOne(address, *stats, next);
    next += kPackedStatsSize;
  }
  return packed;
}

}  // namespace garpoon
