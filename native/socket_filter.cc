#include "socket_filter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <array>

namespace garpoon {
namespace {

constexpr uint32_t kWhole = 0xffffffff;

constexpr sock_filter Load8(uint32_t offset) { return BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offset); }
constexpr sock_filter Load16(uint32_t offset) { return BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offset); }
constexpr sock_filter LoadPacketType() { return Load8(static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)); }
constexpr sock_filter SkipIfEqual(uint32_t value, uint8_t skip_otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip_otherwise);
}
constexpr sock_filter SkipIfNotLess(uint32_t value, uint8_t skip) {
  return BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, value, skip, 0);
}
constexpr sock_filter Return(uint32_t length) { return BPF_STMT(BPF_RET | BPF_K, length); }

// PACKET_HOST, _BROADCAST and _MULTICAST are below PACKET_OTHERHOST, what we sent ourselves is above.
constexpr std::array kArpFilter = {
    LoadPacketType(), SkipIfNotLess(PACKET_OTHERHOST, 5),  //
    Load16(12),       SkipIfEqual(ETH_P_ARP, 3),           //
    Load16(20),       SkipIfEqual(1, 1),                   // operation: request
    Return(kWhole),   Return(0),
};

constexpr std::array kNdpFilter = {
    LoadPacketType(), SkipIfNotLess(PACKET_OTHERHOST, 9),  //
    Load16(12),       SkipIfEqual(ETH_P_IPV6, 7),          //
    Load8(20),        SkipIfEqual(58, 5),                  // next header: ICMPv6, no extension header before it
    Load8(21),        SkipIfEqual(255, 3),                 // hop limit
    Load8(54),        SkipIfEqual(135, 1),                 // type: neighbour solicitation
    Return(kWhole),   Return(0),
};

}  // namespace

std::span<const sock_filter> SocketFilter(Protocol protocol) {
  if (protocol == Protocol::kArp) return kArpFilter;
  return kNdpFilter;
}

}  // namespace garpoon
