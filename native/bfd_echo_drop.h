// Why a BFD echo packet was not taken, or not returned. Each reason is a counter.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// X(enumerator, name in JavaScript), in the order in which a packet is judged.
#define GARPOON_BFD_ECHO_DROPS(X)                                                                 \
  X(kTruncated, "echoTruncated") /* shorter than one of ours */                                   \
  X(kMalformed, "echoMalformed") /* no packet as we send them */                                  \
  X(kNotOurs, "echoNotOurs")     /* on its way back to a peer, or to somebody else */             \
  X(kUnknownDiscriminator, "echoUnknownDiscriminator")                                            \
  X(kWrongPath, "echoWrongPath")     /* of another address or interface than the session's */     \
  X(kTtlTooLow, "echoTtlTooLow")     /* came from further away than the peer */                   \
  X(kWrongTag, "echoWrongTag")       /* nobody who has our key has written it */                  \
  X(kStale, "echoStale")             /* counted already, or from before the session was up */     \
  X(kInactive, "echoInactive")       /* the session sends none now, or is not up */               \
  X(kUnknownPeer, "echoUnknownPeer") /* to be returned: not from a peer of a session with echo */ \
  X(kTooLong, "echoTooLong")         /* to be returned: longer than is reasonable */              \
  X(kTooFast, "echoTooFast")         /* to be returned: much more of them than the peer was told it may send */

namespace garpoon {

enum class BfdEchoDrop : uint8_t {
  kNone,
#define GARPOON_X(enumerator, name) enumerator,
  GARPOON_BFD_ECHO_DROPS(GARPOON_X)
#undef GARPOON_X
};

#define GARPOON_X(enumerator, name) name,
inline constexpr std::array kBfdEchoDropNames = {GARPOON_BFD_ECHO_DROPS(GARPOON_X)};
#undef GARPOON_X

// Into an array with a place for each reason but kNone.
[[nodiscard]] constexpr size_t IndexOf(BfdEchoDrop drop) { return static_cast<size_t>(drop) - 1; }

}  // namespace garpoon
