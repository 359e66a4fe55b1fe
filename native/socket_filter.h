// The classic BPF programs that keep other people's frames from waking the packet thread. They only save wake-ups:
// answer.cc decides.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>

namespace garpoon {

enum class Protocol : uint8_t { kArp, kNdp };

// A program that passes ARP requests, or neighbour solicitations, that are not for another host. Static storage.
[[nodiscard]] std::span<const sock_filter> SocketFilter(Protocol protocol);

}  // namespace garpoon
