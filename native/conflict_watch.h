// Which foreign claims are worth a report: each once in a while, and not too many of all. Pure: time is a parameter, in
// nanoseconds on CLOCK_MONOTONIC.
//
// It limits reports alone. Whoever probes an address looks at every claim: an old one decides as well as a new one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_set>

#include "address.h"
#include "nanoseconds.h"

namespace garpoon {

// Packet thread only.
class ConflictWatch {
 public:
  static constexpr Nanoseconds kReportInterval = 10'000 * kMillisecond;  // DEFEND_INTERVAL, RFC 5227 section 1.1
  static constexpr size_t kMaxReports = 16;                              // a second, and at once after a pause
  // Reports remembered. Follows from the two: however many MAC addresses a host invents, only a report is remembered.
  static constexpr size_t kMaxTracked = (kReportInterval / (1000 * kMillisecond) + 1) * kMaxReports;

  // Whether to report that `mac` claims the address on the interface. True only once in kReportInterval.
  [[nodiscard]] bool Admit(const IpAddress& address, const MacAddress& mac, int interface_index, Nanoseconds now);

  // How often Admit() said no.
  [[nodiscard]] uint64_t suppressed() const { return suppressed_; }
  [[nodiscard]] size_t tracked() const { return order_.size(); }

 private:
  struct Report {
    IpAddress address;
    MacAddress mac;
    int interface_index;
    bool operator==(const Report&) const = default;
  };
  struct Hash {
    size_t operator()(const Report& report) const noexcept;
  };
  struct Remembered {
    Report report;
    Nanoseconds until;
  };

  void Forget(Nanoseconds now);
  [[nodiscard]] bool TakeTurn(Nanoseconds now);

  // The same reports in both. All are remembered for as long, so the oldest, in front, is forgotten first.
  std::unordered_set<Report, Hash> reported_;
  std::deque<Remembered> order_;
  // The pace as a virtual clock: every report moves it on, and it may run ahead of time by kMaxReports of them.
  Nanoseconds paced_until_ = 0;
  uint64_t suppressed_ = 0;
};

}  // namespace garpoon
