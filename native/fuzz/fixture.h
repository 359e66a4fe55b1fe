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

// What the result says is what the outcome has.
template <typename Frame>
void RequireConsistent(DropReason reason, const Outcome<Frame>& outcome) {
  Require(outcome.claim.has_value() == (reason == DropReason::kForeignClaim));
  Require(outcome.answer.has_value() ? reason == DropReason::kNone || outcome.claim : reason != DropReason::kNone);
}

// An interface …:0f that announces 198.18.0.5 and 2001:db8::5, which the seeds ask for, not 198.18.0.6, and holds
// 198.18.0.9 and 2001:db8::9. The machine has another interface, …:1f.
class Fixture {
 public:
  Fixture() {
    PackedFault fault;
    table_ = AddressTable::Create(
        {{Ipv4(5), 0}, {Ipv6(5), 0}, {Ipv4(6), 1}, {Ipv6(6), 1}, {Ipv4(9), 0, true}, {Ipv6(9), 0, true}},
        {InterfaceSet{}, InterfaceSet{"eth1"}}, fault);
  }

  [[nodiscard]] View view() const { return {*table_, announces_, own_macs_[0], own_macs_}; }
  [[nodiscard]] const MacAddress& mac() const { return own_macs_[0]; }

  // On an address of this interface, held or not, and by another machine.
  void RequireForeign(const Claim& claim) const {
    const Announcement* found = table_->Find(claim.address);
    Require(found != nullptr && announces_[found->set] == 1);
    Require(std::ranges::find(own_macs_, claim.mac) == own_macs_.end());
    Require(!claim.mac.IsMulticast() && !claim.mac.IsZero());
  }

 private:
  static IpAddress Ipv4(uint8_t last) { return {Family::kIpv4, {198, 18, 0, last}}; }
  static IpAddress Ipv6(uint8_t last) {
    return {Family::kIpv6, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}};
  }

  std::unique_ptr<const AddressTable> table_;
  std::vector<uint8_t> announces_ = {1, 0};
  std::vector<MacAddress> own_macs_ = {{{2, 0, 0, 0, 0, 0x0f}}, {{2, 0, 0, 0, 0, 0x1f}}};
};

}  // namespace garpoon::fuzz
