// Whom to tell directly, because a router may take no notice of what is announced to everyone: the gateways and other
// neighbours that the kernel knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "neighbor_message.h"

namespace garpoon {

enum class UnicastScope : uint8_t { kOff, kGateways, kNeighbors };

// The targets on each interface, by its index, gateways first, each address once. A gateway is a neighbour that a
// unicast route of any table goes by, or an IPv6 router. What is beyond the limit is left out.
//
// Blocks for milliseconds, at most about a second: never on the packet thread. Works in the network namespace of the
// calling thread. 0 or an errno, and then `out` is empty.
[[nodiscard]] int ReadUnicastTargets(UnicastScope scope, size_t limit_per_interface,
                                     std::map<int, std::vector<UnicastTarget>>& out);

}  // namespace garpoon
