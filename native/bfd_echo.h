// The echo function of one BFD session, RFC 5880 section 6.4: which packets are out, and whether too many of them are
// missing. Pure: time is a parameter.
//
//   off ──start──> trial ──one has come back──> working
//
// A peer that says that it returns echoes and does not, because it does not forward or a filter is in the way, is no
// path that has failed: as long as none has come back, few are sent, and nothing follows from their absence.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "bfd_echo_drop.h"
#include "nanoseconds.h"

namespace garpoon {

enum class BfdEchoState : uint8_t { kOff, kTrial, kWorking };

class BfdEcho {
 public:
  [[nodiscard]] BfdEchoState state() const { return state_; }

  void Start(Nanoseconds now) {
    state_ = BfdEchoState::kTrial;
    returned_ = sent_;  // what is still out from before is stale
    next_send_ = now;
    excused_ = false;
    excused_until_ = 0;
  }
  void Stop() { state_ = BfdEchoState::kOff; }

  // kNever when off.
  [[nodiscard]] Nanoseconds NextSend() const { return state_ == BfdEchoState::kOff ? kNever : next_send_; }

  // Returns the sequence number of the packet that is to be sent now. It is out, whether or not the kernel takes it.
  [[nodiscard]] uint64_t Send(Nanoseconds next) {
    next_send_ = next;
    return ++sent_;
  }

  // Hastens the next one.
  void SendBy(Nanoseconds at) { next_send_ = std::min(next_send_, at); }

  [[nodiscard]] BfdEchoDrop Receive(uint64_t sequence) {
    if (sequence <= returned_ || sequence > sent_) return BfdEchoDrop::kStale;
    if (state_ == BfdEchoState::kOff) return BfdEchoDrop::kInactive;
    returned_ = sequence;
    excused_ = false;
    state_ = BfdEchoState::kWorking;
    return BfdEchoDrop::kNone;
  }

  // Whether the last `multiplier` packets are all missing. The last of them is given its time until the next is due.
  [[nodiscard]] bool Misses(uint8_t multiplier) const {
    return state_ == BfdEchoState::kWorking && sent_ - returned_ >= multiplier;
  }
  [[nodiscard]] Nanoseconds DetectAt(uint8_t multiplier) const {
    return Misses(multiplier) ? std::max(next_send_, excused_until_) : kNever;
  }

  // This system was late itself. False when it was excused since the last one came back.
  [[nodiscard]] bool Excuse(Nanoseconds until) {
    if (excused_) return false;
    excused_ = true;
    excused_until_ = until;
    return true;
  }

 private:
  BfdEchoState state_ = BfdEchoState::kOff;
  uint64_t sent_ = 0;      // the sequence number of the last
  uint64_t returned_ = 0;  // and of the last that came back: never more
  Nanoseconds next_send_ = 0;
  bool excused_ = false;
  Nanoseconds excused_until_ = 0;
};

[[nodiscard]] constexpr const char* Name(BfdEchoState state) {
  constexpr std::array kNames = {"off", "trial", "working"};
  return kNames[static_cast<size_t>(state)];
}

}  // namespace garpoon
