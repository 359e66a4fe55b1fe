#include "../load_gauge.h"

#include "check.h"

namespace garpoon::test {
namespace {

constexpr Nanoseconds kMicrosecond = 1'000;

// Adds `frames` every `gap` for `duration` from `now` on, and returns whether that ends busy.
bool Run(LoadGauge& gauge, Nanoseconds& now, Nanoseconds gap, size_t frames, Nanoseconds duration) {
  bool busy = false;
  for (const Nanoseconds end = now + duration; now < end; now += gap) busy = gauge.Add(now, frames);
  return busy;
}

}  // namespace

TEST("it is busy when wake-ups come thick and fast, or very many frames") {
  const struct {
    const char* what;
    Nanoseconds gap;
    size_t frames;
    bool busy;
  } rows[] = {
      {"a request now and then", 1000 * kMicrosecond, 1, false},
      {"50,000 requests a second, one by one", 20 * kMicrosecond, 1, false},
      {"100,000 requests a second, ten at a time", 100 * kMicrosecond, 10, false},
      {"300,000 requests a second, a few dozen at a time", 100 * kMicrosecond, 30, true},
      {"200,000 requests a second, one by one", 5 * kMicrosecond, 1, true},
  };
  for (const auto& row : rows) {
    LoadGauge gauge;
    Nanoseconds now = 1'000'000 * kMillisecond;
    EXPECT_EQ(Run(gauge, now, row.gap, row.frames, 10 * kMillisecond), row.busy, row.what);
  }
}

TEST("once busy, it stays so while there are frames enough, and no longer") {
  LoadGauge gauge;
  Nanoseconds now = 0;
  EXPECT(Run(gauge, now, 5 * kMicrosecond, 1, 10 * kMillisecond));
  EXPECT(Run(gauge, now, 50 * kMicrosecond, 10, 10 * kMillisecond));
  EXPECT(Run(gauge, now, 50 * kMicrosecond, 3, 10 * kMillisecond));
  EXPECT(!Run(gauge, now, 50 * kMicrosecond, 1, 10 * kMillisecond));
  EXPECT(!Run(gauge, now, 50 * kMicrosecond, 5, 10 * kMillisecond));
}

TEST("a first burst after a long rest is not busy") {
  LoadGauge gauge;
  EXPECT(!gauge.Add(1'000'000 * kMillisecond, 512));
  EXPECT(!gauge.Add(2'000'000 * kMillisecond, 512));
}

}  // namespace garpoon::test
