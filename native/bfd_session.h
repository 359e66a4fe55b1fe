// The state machine of one BFD session, RFC 5880 sections 6.1 to 6.8. Pure: time is a parameter, in nanoseconds on
// CLOCK_MONOTONIC, and never goes back.
//
//                           +--+
//                           |  | Down is heard, and it is held Down, or silence
//                           |  V
//       Down is heard    +------+    Init is heard
//      +-----------------|      |------------------+
//      |  AdminDown,     | Down |  Down, AdminDown,|
//      |  silence        |      |  silence         |
//      |   +------------>|      |<-------------+   |
//      V   |             +------+              |   V
//     +------+  Init or Up is heard            +------+
//     | Init |-------------------------------->|  Up  |
//     +------+                                 +------+
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "bfd_authentication.h"
#include "bfd_echo.h"
#include "bfd_packet.h"
#include "bfd_settings.h"
#include "nanoseconds.h"

namespace garpoon {

inline constexpr Nanoseconds kMicrosecond = 1'000;

class BfdSession {
 public:
  struct Chance {
    uint32_t discriminator;   // not zero, and of no other session
    uint32_t first_sequence;  // of authentication
    uint64_t seed;            // of the jitter
  };
  BfdSession(const BfdParameters& parameters, BfdKeyring keyring, const Chance& chance, Nanoseconds now);

  // A packet that was parsed, and is of this session's peer.
  [[nodiscard]] BfdDrop Receive(const BfdReception& reception, Nanoseconds now);

  // The peer learns of it in a poll sequence.
  void Change(const BfdParameters& parameters, Nanoseconds now);
  void SetKeys(BfdKeyring keyring) { authenticator_.SetKeys(std::move(keyring)); }

  // While held it stays Down: this system cannot be relied upon, though it is here (sections 6.2 and 6.8.15).
  void Hold(bool held, Nanoseconds now);

  // Whether the peer is told that its echo packets come back, at the interval of our own.
  void OfferEcho(bool offered);

  // AdminDown, for good: section 6.8.16. Returns until when the peer should be told.
  Nanoseconds SwitchOff(Nanoseconds now);

  // When there is something to be judged or sent: to be called again after any other function.
  [[nodiscard]] Nanoseconds Deadline() const;

  // Whether Send() would write a periodic packet, if need be a little early.
  [[nodiscard]] bool MaySend(Nanoseconds now) const;

  // When the peer will be given up.
  [[nodiscard]] Nanoseconds DetectAt() const;

  // This system was late itself. Gives the peer one more interval; false when it has had that since it was last heard.
  [[nodiscard]] bool Excuse(Nanoseconds now);

  // Gives the peer up when it is time.
  void Expire(Nanoseconds now);

  // Writes the packet that is due, and returns its size; 0 when none is.
  [[nodiscard]] size_t Send(Nanoseconds now, std::span<uint8_t, kBfdLongestPacket> out);

  // Whether Echo() would return a number, if need be a little early.
  [[nodiscard]] bool MayEcho(Nanoseconds now) const;

  // The sequence number of the echo packet that is due; it counts as sent.
  [[nodiscard]] std::optional<uint64_t> Echo(Nanoseconds now);

  // One of ours has come back, and is genuine.
  [[nodiscard]] BfdEchoDrop ReceiveEcho(uint64_t sequence, Nanoseconds now);

  // As DetectAt(), Excuse() and Expire(), by echo packets that are missing.
  [[nodiscard]] Nanoseconds EchoDetectAt() const { return echo_.DetectAt(parameters_.detect_multiplier); }
  [[nodiscard]] bool ExcuseEcho(Nanoseconds now);
  void ExpireEcho(Nanoseconds now);

  [[nodiscard]] BfdEchoState echo_state() const { return echo_.state(); }
  [[nodiscard]] bool echo_offered() const { return echo_offered_ && parameters_.echo_interval != 0; }
  // Between echo packets before jitter, once they are known to come back; 0 when none are sent.
  [[nodiscard]] Nanoseconds EchoInterval() const;

  [[nodiscard]] BfdState state() const { return state_; }
  [[nodiscard]] BfdDiagnostic diagnostic() const { return diagnostic_; }
  [[nodiscard]] BfdState remote_state() const { return remote_.state; }
  [[nodiscard]] BfdDiagnostic remote_diagnostic() const { return remote_.diagnostic; }
  [[nodiscard]] uint32_t discriminator() const { return discriminator_; }
  [[nodiscard]] uint32_t remote_discriminator() const { return remote_.discriminator; }
  [[nodiscard]] bool polling() const { return polling_; }
  [[nodiscard]] bool demanding() const;
  // As they are in use: of periodic packets before jitter, of the peer's packets, and of silence that is a failure.
  [[nodiscard]] Nanoseconds TransmitInterval() const;
  [[nodiscard]] Nanoseconds ReceiveInterval() const;
  [[nodiscard]] Nanoseconds DetectionTime() const;

 private:
  // What the peer's packets have said. Its timers outlive its discriminator: they tell how long silence has to be.
  struct Remote {
    BfdState state = BfdState::kDown;
    BfdDiagnostic diagnostic{};
    uint32_t discriminator = 0;
    uint32_t min_rx = 1;
    uint32_t desired_tx = 0;
    uint32_t min_echo_rx = 0;
    uint8_t multiplier = 1;
    bool demand = false;
  };

  void Enter(BfdState state, BfdDiagnostic diagnostic, Nanoseconds now);
  void Advance(BfdState heard, Nanoseconds now);
  void Advertise(Nanoseconds now);
  void FollowEcho(Nanoseconds now);
  [[nodiscard]] uint32_t WantedRx() const;
  void RequestPoll();
  void EndPoll(Nanoseconds now);
  void Reschedule(Nanoseconds now);
  [[nodiscard]] bool MayTransmit() const;
  [[nodiscard]] bool IsPeriodic() const;
  [[nodiscard]] Nanoseconds Jittered(Nanoseconds interval);
  [[nodiscard]] BfdPacket Compose(bool final) const;

  BfdParameters parameters_;
  BfdAuthenticator authenticator_;
  const uint32_t discriminator_;
  uint64_t random_;

  BfdState state_ = BfdState::kDown;
  BfdDiagnostic diagnostic_{};
  bool held_ = false;
  Remote remote_;

  // In microseconds: what our packets say, and what is in use. They differ until the peer has confirmed what would
  // otherwise make one of the two too impatient (section 6.8.3).
  uint32_t advertised_tx_;
  uint32_t advertised_rx_;
  uint32_t used_tx_;
  uint32_t used_rx_;

  bool polling_ = false;
  bool poll_sent_ = false;      // with what is advertised now
  Nanoseconds poll_since_ = 0;  // when the sequence was first sent
  Nanoseconds poll_next_;       // in demand mode: when to ask whether the peer is still there

  Nanoseconds heard_at_ = 0;
  Nanoseconds excused_until_ = 0;
  bool excused_ = false;

  BfdEcho echo_;
  bool echo_offered_ = false;

  bool answer_poll_ = false;
  bool changed_ = true;  // our packets say something else than the last one: it is not to wait for its time
  Nanoseconds sent_at_ = 0;
  Nanoseconds next_send_;
};

}  // namespace garpoon
