// Why a BFD packet was not taken. Each reason is a counter of the same name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// X(enumerator, name in JavaScript), in the order in which a packet is judged: RFC 5880 section 6.8.6, with RFC 5881
// section 5 and RFC 5883 section 5 in between.
#define GARPOON_BFD_DROPS(X)                                                                               \
  X(kTruncated, "truncated")   /* shorter than a packet, or than its own length says */                    \
  X(kBadVersion, "badVersion") /* not 1 */                                                                 \
  X(kBadLength, "badLength")   /* the length it states is too little */                                    \
  X(kZeroMultiplier, "zeroMultiplier")                                                                     \
  X(kMultipoint, "multipoint")                                                                             \
  X(kZeroDiscriminator, "zeroDiscriminator")       /* of the sender */                                     \
  X(kMissingDiscriminator, "missingDiscriminator") /* of the receiver, in a state that has one */          \
  X(kUnknownDiscriminator, "unknownDiscriminator") /* of no session here */                                \
  X(kUnknownPeer, "unknownPeer")                   /* from an address, port or interface of no session */  \
  X(kWrongPeer, "wrongPeer")                       /* names a session that is with somebody else */        \
  X(kTtlTooLow, "ttlTooLow")                       /* came from further away than the session allows */    \
  X(kUnexpectedAuthentication, "unexpectedAuthentication")                                                 \
  X(kMissingAuthentication, "missingAuthentication")                                                       \
  X(kBadAuthentication, "badAuthentication") /* another type, or a section that is not as its type says */ \
  X(kUnknownKey, "unknownKey")               /* signed with a key of another number */                     \
  X(kWrongKey, "wrongKey")                   /* the password or digest does not fit */                     \
  X(kReplayed, "replayed")                   /* a sequence number out of the window */                     \
  X(kAdminDown, "adminDown")                 /* the session is switched off here */

namespace garpoon {

enum class BfdDrop : uint8_t {
  kNone,
#define GARPOON_X(enumerator, name) enumerator,
  GARPOON_BFD_DROPS(GARPOON_X)
#undef GARPOON_X
};

#define GARPOON_X(enumerator, name) name,
inline constexpr std::array kBfdDropNames = {GARPOON_BFD_DROPS(GARPOON_X)};
#undef GARPOON_X

// Into an array with a place for each reason but kNone.
[[nodiscard]] constexpr size_t IndexOf(BfdDrop drop) { return static_cast<size_t>(drop) - 1; }

}  // namespace garpoon
