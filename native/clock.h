// The packet path's clocks. What is pure takes the time as a parameter instead.
#pragma once

#include <ctime>

#include "nanoseconds.h"

namespace garpoon {

[[nodiscard]] inline Nanoseconds ReadClock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<Nanoseconds>(now.tv_sec) * 1'000'000'000 + static_cast<Nanoseconds>(now.tv_nsec);
}

[[nodiscard]] inline Nanoseconds Now() { return ReadClock(CLOCK_MONOTONIC); }

// Goes on while the machine is suspended: the others have not waited for it.
[[nodiscard]] inline Nanoseconds NowWithSuspend() { return ReadClock(CLOCK_BOOTTIME); }

}  // namespace garpoon
