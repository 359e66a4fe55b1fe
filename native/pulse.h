// Notices afterwards that the thread has not run for long: the process was stopped, the machine suspended, or the
// processor taken by others. Pure: time is a parameter, in nanoseconds on CLOCK_BOOTTIME, which goes on meanwhile.
#pragma once

#include "nanoseconds.h"

namespace garpoon {

class Pulse {
 public:
  // `lapse` is how long the thread may be away; 0: for ever.
  explicit Pulse(Nanoseconds lapse) : lapse_(lapse) {}

  // The thread runs. Returns for how long it had not, when that was longer than it may be away; else 0. To be called
  // before anything is sent, and at least every Interval(): a thread that waits for nothing cannot be told from one
  // that does not run.
  [[nodiscard]] Nanoseconds Beat(Nanoseconds now) {
    const Nanoseconds away = last_ == 0 ? 0 : now - last_;
    last_ = now;
    return lapse_ != 0 && away > lapse_ ? away : 0;
  }

  // An absence that is shorter than a lapse by more than this is never taken for one. kNever without a lapse.
  [[nodiscard]] Nanoseconds Interval() const { return lapse_ == 0 ? kNever : lapse_ / 4; }

 private:
  const Nanoseconds lapse_;
  Nanoseconds last_ = 0;
};

}  // namespace garpoon
