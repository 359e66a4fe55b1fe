// A neighbour that is told of an announcement in person.
#pragma once

#include "address.h"

namespace garpoon {

struct UnicastTarget {
  IpAddress address;
  MacAddress mac;
  bool operator==(const UnicastTarget&) const = default;
};

}  // namespace garpoon
