// What rtnetlink says about neighbours, and about routes as far as they name neighbours. Pure: bytes in, values out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "address.h"
#include "unicast_target.h"

namespace garpoon {

// What the dumps of neighbours and routes have brought up to now. All by interface index, then by address.
struct NeighborDump {
  struct Neighbor {
    MacAddress mac;
    bool router = false;  // as it says in its IPv6 Neighbour Advertisements
    bool operator==(const Neighbor&) const = default;
  };
  std::map<int, std::unordered_map<IpAddress, Neighbor>> neighbors;  // those whose MAC address is known
  std::map<int, std::unordered_set<IpAddress>> gateways;             // next hops of unicast routes

  size_t entries = 0;        // neighbours, routes and next hops looked at, whatever came of them
  bool interrupted = false;  // something changed during the dump: it is not one consistent state
  bool done = false;         // nothing more will come
  int error = 0;             // why the dump failed
};

// Adds what one datagram holds. What it does not know, or what is cut off, it passes over.
void ParseNeighborMessages(std::span<const uint8_t> datagram, NeighborDump& dump);

}  // namespace garpoon
