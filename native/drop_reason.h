// Why a frame was not answered, or that it claims an address of ours. Each reason has a counter of the same name.
#pragma once

#include <cstdint>

// X(enumerator, name in JavaScript)
#define GARPOON_DROP_REASONS(X)                                                                              \
  X(kTooShort, "dropTooShort")             /* ends before what its own headers promise */                    \
  X(kTooLong, "dropTooLong")               /* longer than the receive buffer */                              \
  X(kOtherHost, "dropOtherHost")           /* to another MAC address, or in a VLAN that is not ours */       \
  X(kMalformed, "dropMalformed")           /* a header field has a value the protocol does not allow */      \
  X(kNotRequest, "dropNotRequest")         /* an answer that claims nothing of ours, another type */         \
  X(kBadSender, "dropBadSender")           /* the sender's MAC address is a group's, or zero */              \
  X(kOwnSender, "dropOwnSender")           /* our own frame came back */                                     \
  X(kBadHopLimit, "dropBadHopLimit")       /* not 255: it may come from beyond this link (RFC 4861 7.1.1) */ \
  X(kBadChecksum, "dropBadChecksum")       /* ICMPv6 */                                                      \
  X(kBadOption, "dropBadOption")           /* an NDP option of length 0, cut off, or not allowed here */     \
  X(kBadSource, "dropBadSource")           /* the IPv6 source does not fit the destination */                \
  X(kBadTarget, "dropBadTarget")           /* the address asked for is a group's */                          \
  X(kNotAnnounced, "dropNotAnnounced")     /* asks for an address that is not ours to answer for */          \
  X(kWrongInterface, "dropWrongInterface") /* ours, but not on this interface */                             \
  X(kHeld, "dropHeld")                     /* ours to watch, not yet to answer for */                        \
  X(kSilent, "dropSilent")                 /* nothing is answered: see Responder::Renew */                   \
  X(kForeignClaim, "dropForeignClaim")     /* another host says that our address is its own */

namespace garpoon {

enum class DropReason : uint8_t {
  kNone,
#define GARPOON_X(enumerator, name) enumerator,
  GARPOON_DROP_REASONS(GARPOON_X)
#undef GARPOON_X
};

}  // namespace garpoon
