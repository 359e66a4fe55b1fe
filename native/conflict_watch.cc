#include "conflict_watch.h"

#include <algorithm>

namespace garpoon {
namespace {

constexpr Nanoseconds kSecond = 1000 * kMillisecond;
constexpr Nanoseconds kPerReport = kSecond / ConflictWatch::kMaxReports;

}  // namespace

bool ConflictWatch::Admit(const IpAddress& address, const MacAddress& mac, int interface_index, Nanoseconds now) {
  Forget(now);
  const Report report{address, mac, interface_index};
  if (reported_.contains(report) || !TakeTurn(now)) {
    suppressed_++;
    return false;
  }
  reported_.insert(report);
  order_.push_back({report, now + kReportInterval});
  return true;
}

size_t ConflictWatch::Hash::operator()(const Report& report) const noexcept {
  uint64_t where = static_cast<uint64_t>(report.interface_index);
  for (const uint8_t byte : report.mac.bytes) where = where << 8 | byte;
  // An odd factor: equal low bits of different reports must not cancel out.
  return report.address.Hash() ^ where * 0x9e3779b97f4a7c15ULL;
}

void ConflictWatch::Forget(Nanoseconds now) {
  for (; !order_.empty() && order_.front().until <= now; order_.pop_front()) reported_.erase(order_.front().report);
}

bool ConflictWatch::TakeTurn(Nanoseconds now) {
  const Nanoseconds next = std::max(paced_until_, now) + kPerReport;
  if (next > now + kSecond) return false;
  paced_until_ = next;
  return true;
}

}  // namespace garpoon
