// A network interface as the kernel describes it, and whether it is fit to announce on.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "address.h"

namespace garpoon {

struct Link {
  int index = 0;
  std::string name;
  uint32_t flags = 0;  // IFF_UP, IFF_LOOPBACK, ... of <linux/if.h>
  bool ethernet = false;
  // Has a bridge, bond or team above it, which takes its frames. A VRF above does not count: it only routes.
  bool enslaved = false;
  MacAddress mac;

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

}  // namespace garpoon
