// A network interface as the kernel describes it, and which addresses may be announced on it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "address.h"
#include "interface_pattern.h"

namespace garpoon {

struct Link {
  int index = 0;
  std::string name;
  uint32_t flags = 0;  // IFF_UP, IFF_LOOPBACK, ... of <linux/if.h>
  bool ethernet = false;
  bool enslaved = false;  // has a bridge, bond or team above it, which takes its frames
  MacAddress mac;
  bool vrf_port = false;  // has a VRF above it, which routes its traffic apart from the rest
  // Index of the interface below a macvlan, macvtap or ipvlan: both hear the same requests. 0 for every other kind, and
  // when that interface is in another network namespace.
  int parent = 0;

  bool operator==(const Link&) const = default;

  [[nodiscard]] bool up() const;       // switched on
  [[nodiscard]] bool carrier() const;  // the cable is in
  [[nodiscard]] bool operational() const { return up() && carrier(); }
};

// X(enumerator, name in JavaScript)
#define GARPOON_INELIGIBLE(X)        \
  X(kNone, "")                       \
  X(kExcluded, "excluded")           \
  X(kLoopback, "loopback")           \
  X(kNotEthernet, "not-ethernet")    \
  X(kPointToPoint, "point-to-point") \
  X(kNoArp, "no-arp")                \
  X(kEnslaved, "enslaved")           \
  X(kDown, "down")

enum class Ineligible : uint8_t {
#define GARPOON_X(enumerator, name) enumerator,
  GARPOON_INELIGIBLE(GARPOON_X)
#undef GARPOON_X
};

[[nodiscard]] const char* Name(Ineligible reason);

// The most lasting reason when there are several; kNone when the interface is fit. `exclude` holds names and globs.
[[nodiscard]] Ineligible WhyIneligible(const Link& link, std::span<const std::string> exclude);

// Why an eligible interface is left out of "all interfaces". It is used where an address names it.
// X(enumerator, name in JavaScript)
#define GARPOON_ONLY_BY_NAME(X) \
  X(kNone, "")                  \
  X(kVrfMember, "vrf-member")   \
  X(kSharesParent, "shares-parent")

enum class OnlyByName : uint8_t {
#define GARPOON_X(enumerator, name) enumerator,
  GARPOON_ONLY_BY_NAME(GARPOON_X)
#undef GARPOON_X
};

[[nodiscard]] const char* Name(OnlyByName reason);

struct LinkState {
  Link link;
  Ineligible ineligible;
  OnlyByName only_by_name;
};

// Of the two that follow, `parent` is the interface that link.parent tells of when it is there and eligible, else null.

[[nodiscard]] OnlyByName WhyOnlyByName(const Link& link, const Link* parent);

// Whether addresses of the set are announced on an eligible interface. Never on one whose parent belongs to the set
// too: a request would be answered twice, with different MAC addresses.
[[nodiscard]] bool BelongsTo(const InterfaceSet& set, const Link& link, const Link* parent);

}  // namespace garpoon
