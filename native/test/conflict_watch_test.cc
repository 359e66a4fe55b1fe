#include "../conflict_watch.h"

#include <random>

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

constexpr Nanoseconds kSecond = 1000 * kMillisecond;
constexpr Nanoseconds kStart = 1'000'000 * kMillisecond;

MacAddress NthMac(uint32_t n) {
  return {{2, 0, static_cast<uint8_t>(n >> 24), static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 8),
           static_cast<uint8_t>(n)}};
}

}  // namespace

TEST("a claim that goes on is reported at once and every ten seconds") {
  ConflictWatch watch;
  std::vector<Nanoseconds> reports;
  for (Nanoseconds now = 0; now <= 30 * kSecond; now += kSecond / 4) {
    if (watch.Admit(Ip("192.0.2.1"), kHostMac, 2, kStart + now)) reports.push_back(now / kSecond);
  }
  EXPECT(reports == (std::vector<Nanoseconds>{0, 10, 20, 30}));
  EXPECT_EQ(watch.suppressed(), 30u * 4 + 1 - 4);
}

TEST("another address, MAC address or interface is another claim") {
  ConflictWatch watch;
  const struct {
    const char* address;
    const char* mac;
    int interface_index;
    bool admitted;
  } rows[] = {
      {"192.0.2.1", "02000000000c", 2, true},    {"192.0.2.2", "02000000000c", 2, true},
      {"192.0.2.1", "02000000000d", 2, true},    {"192.0.2.1", "02000000000c", 3, true},
      {"2001:db8::1", "02000000000c", 2, true},  {"192.0.2.1", "02000000000c", 2, false},
      {"2001:db8::1", "02000000000c", 2, false}, {"192.0.2.1", "02000000000c", 3, false},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(watch.Admit(Ip(row.address), Mac(row.mac), row.interface_index, kStart), row.admitted, row.mac);
  }
  EXPECT_EQ(watch.suppressed(), 3u);
}

TEST("a claim that found no room is reported when there is some") {
  ConflictWatch watch;
  for (uint32_t n = 0; n < ConflictWatch::kMaxReports; n++) {
    EXPECT(watch.Admit(Ip("192.0.2.1"), NthMac(n), 2, kStart));
  }
  EXPECT(!watch.Admit(Ip("192.0.2.2"), kHostMac, 2, kStart));
  EXPECT(watch.Admit(Ip("192.0.2.2"), kHostMac, 2, kStart + kSecond / ConflictWatch::kMaxReports));
  EXPECT(!watch.Admit(Ip("192.0.2.2"), kHostMac, 2, kStart + kSecond));
}

TEST("invented MAC addresses yield no more reports than the pace allows, and no more to remember") {
  ConflictWatch watch;
  uint64_t reports = 0;
  size_t most = 0;
  constexpr uint32_t kSeconds = 25;
  constexpr uint32_t kPerSecond = 5000;
  for (uint32_t n = 0; n < kSeconds * kPerSecond; n++) {
    reports += watch.Admit(Ip("192.0.2.1"), NthMac(n), 2, kStart + n * (kSecond / kPerSecond));
    most = std::max(most, watch.tracked());
  }
  EXPECT_EQ(reports, (kSeconds + 1) * ConflictWatch::kMaxReports - 1);  // the burst, and one each sixteenth of a second
  EXPECT_EQ(reports + watch.suppressed(), uint64_t{kSeconds} * kPerSecond);
  EXPECT_EQ(most, ConflictWatch::kMaxTracked - 1);
}

TEST("what is remembered is forgotten in the end") {
  ConflictWatch watch;
  for (uint32_t n = 0; n < 8; n++) EXPECT(watch.Admit(Ip("192.0.2.1"), NthMac(n), 2, kStart + n * kSecond));
  EXPECT_EQ(watch.tracked(), 8u);
  EXPECT(watch.Admit(Ip("192.0.2.2"), kHostMac, 2, kStart + 60 * kSecond));
  EXPECT_EQ(watch.tracked(), 1u);
}

TEST("whatever comes, none is reported twice within the interval and no second has two bursts") {
  std::mt19937 random(5227);
  for (int run = 0; run < 20; run++) {
    ConflictWatch watch;
    std::vector<std::pair<Nanoseconds, uint32_t>> reports;
    Nanoseconds now = kStart;
    for (int i = 0; i < 3000; i++) {
      now += random() % 3 == 0 ? random() % (kSecond / 4) : 0;
      const auto who = static_cast<uint32_t>(random() % 300);
      if (watch.Admit(Ip("192.0.2.1"), NthMac(who), 2, now)) reports.emplace_back(now, who);
    }
    EXPECT(reports.size() > 100);
    bool twice = false;
    size_t most = 0;
    for (size_t i = 0; i < reports.size(); i++) {
      size_t within = 0;
      for (size_t k = i; k < reports.size() && reports[k].first < reports[i].first + 10 * kSecond; k++) {
        twice = twice || (k > i && reports[k].second == reports[i].second);
        within += reports[k].first < reports[i].first + kSecond;
      }
      most = std::max(most, within);
    }
    EXPECT(!twice);
    EXPECT(most < 2 * ConflictWatch::kMaxReports);
  }
}

}  // namespace garpoon::test
