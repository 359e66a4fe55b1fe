// The classic BPF programs that keep other people's frames from waking the packet thread. They only save wake-ups:
// answer.cc decides. Pure; needs no capability beyond the socket's own. kernel_address_set.h is the eBPF variant.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "address.h"

namespace garpoon {

enum class Protocol : uint8_t { kArp, kNdp };

// What is kept of an ARP frame: padding beyond the shortest Ethernet frame is not worth copying.
inline constexpr uint32_t kArpSnapLength = 60;
inline constexpr uint32_t kNdpSnapLength = 0xffffffff;  // options are as long as they like

enum class FilterForm : uint8_t {
  kExact,   // passes the frames about the addresses and no others
  kRanges,  // passes frames about other addresses too, because the exact program would be too long
};

struct FilterProgram {
  std::vector<sock_filter> instructions;
  FilterForm form = FilterForm::kExact;
};

// Below it there may be no program that passes every address.
inline constexpr size_t kMinFilterLimit = 32;

// A program of at most `limit` instructions that passes, unless they are for another host or our own,
//   ARP requests and replies whose target or sender is one of `addresses`: a foreign claim is news too;
//   neighbour solicitations and advertisements whose target is.
// `addresses`: of the protocol's family, ascending by bytes, each once.
//
// A socket holds net.core.optmem_max bytes of programs, while one replaces another of both: 128 KiB, but 20 KiB before
// Linux 6.8. An instruction takes 8 to 24. When SO_ATTACH_FILTER fails with ENOMEM, a smaller limit helps.
[[nodiscard]] FilterProgram BuildFilter(Protocol protocol, std::span<const IpAddress> addresses,
                                        size_t limit = BPF_MAXINSNS);

// The same whatever the address: for as long as the set is not known.
[[nodiscard]] FilterProgram BuildOpenFilter(Protocol protocol);

}  // namespace garpoon
