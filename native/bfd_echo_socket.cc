#include "bfd_echo_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "bfd_echo_packet.h"
#include "socket_address.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23  // since Linux 4.20
#endif

namespace garpoon {
namespace {

constexpr int kMostAtOnce = 4096;
constexpr size_t kSnapLength = 128;
constexpr int kClassSelector6 = 0xc0;

// UDP over IPv4 without options, no fragment, to the port of echo packets. ParseBfdEcho() judges the rest.
constexpr std::array kFilter = {
    sock_filter BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
    sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x45, 0, 7),
    sock_filter BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
    sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 5),
    sock_filter BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
    sock_filter BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 3, 0),
    sock_filter BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 22),
    sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kBfdEchoPort, 0, 1),
    sock_filter BPF_STMT(BPF_RET | BPF_K, kSnapLength),
    sock_filter BPF_STMT(BPF_RET | BPF_K, 0),
};

bool NameOf(int interface_index, std::array<char, IF_NAMESIZE>& name) {
  return if_indextoname(static_cast<unsigned>(interface_index), name.data()) != nullptr;
}

}  // namespace

int BfdEchoTap::Open(int interface_index) {
  // With protocol 0 nothing is delivered until bind().
  Fd fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno;
  (void)SetInt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);  // or Receive() sorts them out
  const sock_fprog program{static_cast<uint16_t>(kFilter.size()), const_cast<sock_filter*>(kFilter.data())};
  if (setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) return errno;
  sockaddr_ll local{};
  local.sll_family = AF_PACKET;
  local.sll_protocol = htons(ETH_P_IP);
  local.sll_ifindex = interface_index;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) return errno;
  fd_ = std::move(fd);
  interface_index_ = interface_index;
  return 0;
}

bool BfdEchoTap::Send(const MacAddress& peer, std::span<const uint8_t> datagram) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_IP);
  to.sll_ifindex = interface_index_;
  to.sll_halen = static_cast<uint8_t>(peer.bytes.size());
  std::ranges::copy(peer.bytes, to.sll_addr);
  const auto* const address = reinterpret_cast<const sockaddr*>(&to);
  // That the interface was down since is told once, instead of sending this one.
  for (int attempt = 0; attempt < 2; attempt++) {
    if (sendto(fd_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT, address, sizeof to) >= 0) return true;
  }
  return false;
}

void BfdEchoTap::Receive(const std::function<void(std::span<const uint8_t>)>& sink) {
  std::array<uint8_t, kSnapLength> datagram;
  for (int i = 0; i < kMostAtOnce; i++) {
    sockaddr_ll from{};
    socklen_t length = sizeof from;
    const ssize_t size =
        recvfrom(fd_.get(), datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENETDOWN) continue;  // told once
    if (size < 0) return;
    if (from.sll_pkttype == PACKET_OUTGOING) continue;
    sink(std::span(datagram).first(static_cast<size_t>(size)));
  }
}

std::optional<MacAddress> FindNeighbor(const IpAddress& address, int interface_index) {
  arpreq request{};
  std::array<char, IF_NAMESIZE> name{};
  if (!NameOf(interface_index, name)) return std::nullopt;
  std::ranges::copy(name, request.arp_dev);
  const SocketAddress of = ToSocketAddress(address, 0, 0);
  std::memcpy(&request.arp_pa, of.get(), std::min<size_t>(of.size, sizeof request.arp_pa));
  const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || ioctl(fd.get(), SIOCGARP, &request) != 0) return std::nullopt;
  if ((request.arp_flags & ATF_COM) == 0 || request.arp_ha.sa_family != ARPHRD_ETHER) return std::nullopt;
  MacAddress mac;
  std::memcpy(mac.bytes.data(), request.arp_ha.sa_data, mac.bytes.size());
  return mac;
}

bool Forwards(int interface_index) {
  std::array<char, IF_NAMESIZE> name{};
  if (!NameOf(interface_index, name)) return false;
  const std::string file = std::string("/proc/sys/net/ipv4/conf/") + name.data() + "/forwarding";
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  char value = '0';
  return fd.valid() && read(fd.get(), &value, 1) == 1 && value == '1';
}

bool SendBack(int fd, const BfdDatagram& datagram) {
  SocketAddress to = ToSocketAddress(datagram.source, datagram.source_port, 0);
  iovec part{const_cast<uint8_t*>(datagram.payload.data()), datagram.payload.size()};
  constexpr size_t kInts = 2 * CMSG_SPACE(sizeof(int));
  alignas(cmsghdr) std::array<uint8_t, kInts + CMSG_SPACE(sizeof(in_pktinfo))> control{};
  msghdr message{};
  message.msg_name = &to.storage;
  message.msg_namelen = to.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto fill = [](cmsghdr* each, int type, const auto& value) {
    each->cmsg_level = IPPROTO_IP;
    each->cmsg_type = type;
    each->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(each), &value, sizeof value);
  };
  cmsghdr* each = CMSG_FIRSTHDR(&message);
  fill(each, IP_TTL, int{datagram.ttl - 1});
  each = CMSG_NXTHDR(&message, each);
  fill(each, IP_TOS, kClassSelector6);
  each = CMSG_NXTHDR(&message, each);
  in_pktinfo info{};
  info.ipi_ifindex = datagram.interface_index;
  std::memcpy(&info.ipi_spec_dst, datagram.destination.bytes.data(), sizeof info.ipi_spec_dst);
  fill(each, IP_PKTINFO, info);
  return sendmsg(fd, &message, MSG_DONTWAIT) >= 0;
}

}  // namespace garpoon
