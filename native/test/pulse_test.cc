#include "../pulse.h"

#include "check.h"

namespace garpoon::test {
namespace {

constexpr Nanoseconds kStart = 1'000'000 * kMillisecond;

}  // namespace

TEST("an absence is a lapse when it is longer than it may be, and is told once, with its length") {
  const struct {
    const char* what;
    Nanoseconds lapse;
    Nanoseconds away;
    bool told;
  } rows[] = {
      {"at once", 300, 0, false},
      {"as long as it may be", 300, 300, false},
      {"a little longer", 300, 301, true},
      {"a day", 300, 86'400'000, true},
      {"a day, for ever allowed", 0, 86'400'000, false},
  };
  for (const auto& row : rows) {
    Pulse pulse(row.lapse * kMillisecond);
    EXPECT_EQ(pulse.Beat(kStart), 0u, row.what);
    const Nanoseconds end = kStart + row.away * kMillisecond;
    EXPECT_EQ(pulse.Beat(end), row.told ? row.away * kMillisecond : 0, row.what);
    EXPECT_EQ(pulse.Beat(end), 0u, row.what);
    EXPECT_EQ(pulse.Beat(end + 1), 0u, row.what);
  }
}

TEST("a thread that beats as often as it is to never lapses, and one without a lapse need not") {
  Pulse pulse(300 * kMillisecond);
  EXPECT_EQ(pulse.Interval(), 75 * kMillisecond);
  for (Nanoseconds now = kStart; now < kStart + 10'000 * kMillisecond; now += pulse.Interval()) {
    EXPECT_EQ(pulse.Beat(now), 0u);
  }
  EXPECT_EQ(Pulse(0).Interval(), kNever);
}

}  // namespace garpoon::test
