// Threads beside Node's.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <functional>

#include "failure.h"

namespace garpoon {

// How the kernel lets a thread run when the CPU is wanted by others, too.
#define GARPOON_SCHEDULING(X)                                                        \
  X(kFifo, "fifo")   /* before all ordinary threads; takes CAP_SYS_NICE */           \
  X(kSlice, "slice") /* an ordinary thread that gets its turn sooner (Linux 6.12) */ \
  X(kOrdinary, "ordinary")

enum class Scheduling : uint8_t {
#define GARPOON_X(enumerator, name) enumerator,
  GARPOON_SCHEDULING(GARPOON_X)
#undef GARPOON_X
};

[[nodiscard]] const char* Name(Scheduling scheduling);

// Runs `body` on a thread that takes no signals: those are Node's business.
[[nodiscard]] Failure StartThread(const char* name, std::function<void()> body, pthread_t& thread);

// Makes the calling thread run as soon as it can, by the best means that is permitted, and precise in its waits.
// Without `realtime` the first means is not tried.
[[nodiscard]] Scheduling RunPromptly(bool realtime);

}  // namespace garpoon
