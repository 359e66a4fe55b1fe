#include "native_thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <utility>

namespace garpoon {
namespace {

constexpr uint64_t kShortestSlice = 100'000;  // nanoseconds; the kernel allows no less
constexpr unsigned long kTimerSlack = 1'000;  // nanoseconds; the default of 50 us is as long as the waits
constexpr int kHighestPriority = -20;

// struct sched_attr of <linux/sched/types.h>, which cannot be included beside <sched.h>.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

bool TakeShortSlice() {
  SchedulingAttributes wanted{};
  wanted.size = sizeof wanted;
  wanted.policy = SCHED_OTHER;
  wanted.nice = getpriority(PRIO_PROCESS, 0);
  wanted.runtime = kShortestSlice;
  if (syscall(SYS_sched_setattr, 0, &wanted, 0) != 0) return false;
  // An older kernel takes it and ignores it.
  SchedulingAttributes granted{};
  if (syscall(SYS_sched_getattr, 0, &granted, sizeof granted, 0) != 0) return false;
  return granted.runtime == kShortestSlice;
}

}  // namespace

const char* Name(Scheduling scheduling) {
#define GARPOON_X(enumerator, name) name,
  constexpr std::array kNames = {GARPOON_SCHEDULING(GARPOON_X)};
#undef GARPOON_X
  return kNames[static_cast<size_t>(scheduling)];
}

Failure StartThread(const char* name, std::function<void()> body, pthread_t& thread) {
  auto owned = std::make_unique<std::function<void()>>(std::move(body));
  const auto run = [](void* argument) -> void* {
    const std::unique_ptr<std::function<void()>> mine(static_cast<std::function<void()>*>(argument));
    (*mine)();
    return nullptr;
  };
  // The new thread takes over this signal mask.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&thread, nullptr, run, owned.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return {"pthread_create", error};
  (void)owned.release();  // the thread's
  pthread_setname_np(thread, name);
  return {};
}

Scheduling RunPromptly(bool realtime) {
  prctl(PR_SET_TIMERSLACK, kTimerSlack);
  const sched_param lowest{.sched_priority = 1};
  if (realtime && pthread_setschedparam(pthread_self(), SCHED_FIFO, &lowest) == 0) return Scheduling::kFifo;
  setpriority(PRIO_PROCESS, 0, kHighestPriority);  // of this thread; where it is not permitted, the slice must do
  return TakeShortSlice() ? Scheduling::kSlice : Scheduling::kOrdinary;
}

}  // namespace garpoon
