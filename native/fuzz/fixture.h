// What the fuzz targets share.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "../answer.h"

namespace garpoon::fuzz {

inline void Require(bool condition) {
  if (!condition) __builtin_trap();
}

// An interface …:0f that announces 198.18.0.5 and 2001:db8::5, which the seeds ask for, and not 198.18.0.6.
class Fixture {
 public:
  Fixture() {
    const IpAddress ipv4{Family::kIpv4, {198, 18, 0, 5}};
    const IpAddress elsewhere{Family::kIpv4, {198, 18, 0, 6}};
    const IpAddress ipv6{Family::kIpv6, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}};
    PackedFault fault;
    table_ =
        AddressTable::Create({{ipv4, 0}, {ipv6, 0}, {elsewhere, 1}}, {InterfaceSet{}, InterfaceSet{"eth1"}}, fault);
  }

  [[nodiscard]] View view() const { return {*table_, announces_, mac_}; }
  [[nodiscard]] const MacAddress& mac() const { return mac_; }

 private:
  std::unique_ptr<const AddressTable> table_;
  std::vector<uint8_t> announces_ = {1, 0};
  MacAddress mac_{{2, 0, 0, 0, 0, 0x0f}};
};

}  // namespace garpoon::fuzz
