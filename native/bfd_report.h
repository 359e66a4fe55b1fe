// What JavaScript can read of a session at any time.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bfd_drop.h"
#include "bfd_echo_drop.h"

// X(enumerator, name in JavaScript). Times in nanoseconds, but kSince.
#define GARPOON_BFD_FIELDS(X)                                                                   \
  X(kState, "state")                                                                            \
  X(kDiagnostic, "diagnostic")                                                                  \
  X(kRemoteState, "remoteState")                                                                \
  X(kRemoteDiagnostic, "remoteDiagnostic")                                                      \
  X(kDiscriminator, "discriminator")                                                            \
  X(kRemoteDiscriminator, "remoteDiscriminator")                                                \
  X(kSince, "since") /* nanoseconds since 1970: when the state changed last */                  \
  X(kTransmitInterval, "transmitInterval")                                                      \
  X(kReceiveInterval, "receiveInterval")                                                        \
  X(kDetectionTime, "detectionTime")                                                            \
  X(kSent, "sent")                                                                              \
  X(kSendFailures, "sendFailures") /* packets that the kernel did not take */                   \
  X(kReceived, "received")                                                                      \
  X(kFlaps, "flaps")     /* how often it was Up and then was not */                             \
  X(kExcused, "excused") /* how often it would have gone Down had we not been late ourselves */ \
  X(kEchoState, "echoState")                                                                    \
  X(kEchoInterval, "echoInterval") /* of ours, before jitter; 0 when off */                     \
  X(kEchoOffered, "echoOffered")   /* 1: the peer is told that it may */                        \
  X(kEchoSent, "echoSent")                                                                      \
  X(kEchoSendFailures, "echoSendFailures")                                                      \
  X(kEchoReceived, "echoReceived") /* of ours, that came back */                                \
  X(kEchoReturned, "echoReturned") /* of the peer's, that were addressed to us */

namespace garpoon {

enum class BfdField : size_t {
#define GARPOON_X(enumerator, name) enumerator,
  GARPOON_BFD_FIELDS(GARPOON_X)
#undef GARPOON_X
      kFirstDrop,  // one counter per BfdDrop but kNone follows, in their order, and then one per BfdEchoDrop
};

#define GARPOON_X(enumerator, name) name,
inline constexpr std::array kBfdFieldNames = {GARPOON_BFD_FIELDS(GARPOON_X) GARPOON_BFD_DROPS(GARPOON_X)
                                                  GARPOON_BFD_ECHO_DROPS(GARPOON_X)};
#undef GARPOON_X

// The packet thread is the only writer, as of Stats; no order between fields is promised.
class BfdReport {
 public:
  // Packet thread only.
  void Set(BfdField field, uint64_t value) { Word(field).store(value, std::memory_order_relaxed); }
  void Add(BfdField field) { Set(field, Get(field) + 1); }
  void Add(BfdDrop drop) { Add(FieldOf(drop)); }
  void Add(BfdEchoDrop drop) { Add(FieldOf(drop)); }

  [[nodiscard]] uint64_t Get(BfdField field) const {
    return words_[static_cast<size_t>(field)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] uint64_t Get(BfdDrop drop) const { return Get(FieldOf(drop)); }
  [[nodiscard]] uint64_t Get(BfdEchoDrop drop) const { return Get(FieldOf(drop)); }

 private:
  static BfdField FieldOf(BfdDrop drop) {
    return static_cast<BfdField>(static_cast<size_t>(BfdField::kFirstDrop) + IndexOf(drop));
  }
  static BfdField FieldOf(BfdEchoDrop drop) {
    return static_cast<BfdField>(static_cast<size_t>(BfdField::kFirstDrop) + kBfdDropNames.size() + IndexOf(drop));
  }
  std::atomic<uint64_t>& Word(BfdField field) { return words_[static_cast<size_t>(field)]; }

  std::array<std::atomic<uint64_t>, kBfdFieldNames.size()> words_{};
};

}  // namespace garpoon
