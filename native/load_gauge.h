// Whether frames come so fast that looking for them every so often is cheaper than being woken for them. Pure.
#pragma once

#include <cstddef>

#include "nanoseconds.h"

namespace garpoon {

class LoadGauge {
 public:
  // A wake-up costs a few microseconds: at one every 10 us they take half a core, and looking every 50 us a tenth. And
  // beyond some rate it is the kernel's part of it, a few hundred nanoseconds for each frame, that is missed elsewhere.
  // Below that there is nothing to gain for the later answers.
  static constexpr Nanoseconds kWindow = kMillisecond;
  static constexpr size_t kBusyFromWakeups = 100;  // in a window
  static constexpr size_t kBusyFromFrames = 200;
  static constexpr size_t kBusyUntilFrames = 50;

  // It was woken, or has looked, and has found `frames`. Returns busy().
  bool Add(Nanoseconds now, size_t frames) {
    wakeups_ += 1;
    frames_ += frames;
    const Nanoseconds elapsed = now - since_;
    if (elapsed < kWindow) return busy_;
    const auto at_least = [elapsed](size_t count, size_t least) { return count * kWindow >= least * elapsed; };
    busy_ = busy_ ? at_least(frames_, kBusyUntilFrames)
                  : at_least(wakeups_, kBusyFromWakeups) || at_least(frames_, kBusyFromFrames);
    frames_ = 0;
    wakeups_ = 0;
    since_ = now;
    return busy_;
  }

 private:
  Nanoseconds since_ = 0;
  size_t frames_ = 0;
  size_t wakeups_ = 0;
  bool busy_ = false;
};

}  // namespace garpoon
