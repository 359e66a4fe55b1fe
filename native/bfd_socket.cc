#include "bfd_socket.h"

#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "socket_address.h"

namespace garpoon {
namespace {

constexpr int kReceiveBuffer = 8 << 20;  // some seconds of a thousand sessions
constexpr int kHopLimit = 255;
constexpr int kClassSelector6 = 0xc0;
constexpr uint16_t kFirstSourcePort = 49152;
constexpr uint16_t kSourcePorts = 16384;
constexpr int kPortAttempts = 64;

template <typename T>
T DataOf(const cmsghdr* control) {
  T value;
  std::memcpy(&value, CMSG_DATA(control), sizeof value);
  return value;
}

}  // namespace

int BfdReceiver::Open(Family family, uint16_t port) {
  family_ = family;
  port_ = port;
  const bool ipv4 = family == Family::kIpv4;
  Fd fd(socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno;
  const bool told = ipv4 ? SetInt(fd.get(), IPPROTO_IP, IP_RECVTTL, 1) && SetInt(fd.get(), IPPROTO_IP, IP_PKTINFO, 1)
                         : SetInt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
                               SetInt(fd.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
                               SetInt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  if (!told) return errno;
  // Beyond the system's limit where that is permitted.
  if (!SetInt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer)) {
    (void)SetInt(fd.get(), SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  }
  const SocketAddress any = ToSocketAddress({family, {}}, port, 0);
  if (bind(fd.get(), any.get(), any.size) != 0) return errno;
  for (size_t i = 0; i < kBatch; i++) Prepare(i);
  fd_ = std::move(fd);
  return 0;
}

size_t BfdReceiver::Receive(const std::function<void(const BfdDatagram&)>& sink) {
  size_t total = 0;
  for (size_t batch = 0; batch < kMaxBatches; batch++) {
    const int count = FillBatch();
    for (int i = 0; i < count; i++) {
      const auto index = static_cast<size_t>(i);
      sink(Read(headers_[index], slots_[index]));
      Prepare(index);
    }
    if (count > 0) total += static_cast<size_t>(count);
    if (count < static_cast<int>(kBatch)) break;
  }
  return total;
}

// What the kernel overwrites.
void BfdReceiver::Prepare(size_t index) {
  Slot& slot = slots_[index];
  slot.part = {slot.payload.data(), slot.payload.size()};
  msghdr& header = headers_[index].msg_hdr;
  header = {};
  header.msg_name = &slot.source;
  header.msg_namelen = sizeof slot.source;
  header.msg_iov = &slot.part;
  header.msg_iovlen = 1;
  header.msg_control = slot.control.data();
  header.msg_controllen = slot.control.size();
}

int BfdReceiver::FillBatch() {
  int count;
  do {
    count = recvmmsg(fd_.get(), headers_.data(), kBatch, 0, nullptr);
  } while (count < 0 && errno == EINTR);
  return count;
}

BfdDatagram BfdReceiver::Read(const mmsghdr& header, const Slot& slot) const {
  BfdDatagram datagram;
  datagram.port = port_;
  datagram.payload = std::span(slot.payload).first(std::min<size_t>(header.msg_len, slot.payload.size()));
  if (family_ == Family::kIpv4) {
    const auto& source = reinterpret_cast<const sockaddr_in&>(slot.source);
    datagram.source = FromKernel(source.sin_addr);
    datagram.source_port = ntohs(source.sin_port);
  } else {
    const auto& source = reinterpret_cast<const sockaddr_in6&>(slot.source);
    datagram.source = FromKernel(source.sin6_addr);
    datagram.source_port = ntohs(source.sin6_port);
  }
  auto* const message = const_cast<msghdr*>(&header.msg_hdr);
  for (const cmsghdr* each = CMSG_FIRSTHDR(message); each != nullptr;
       each = CMSG_NXTHDR(message, const_cast<cmsghdr*>(each))) {
    if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_TTL) {
      datagram.ttl = static_cast<uint8_t>(DataOf<int>(each));
    } else if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_HOPLIMIT) {
      datagram.ttl = static_cast<uint8_t>(DataOf<int>(each));
    } else if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
      const auto info = DataOf<in_pktinfo>(each);
      datagram.destination = FromKernel(info.ipi_addr);
      datagram.interface_index = info.ipi_ifindex;
    } else if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
      const auto info = DataOf<in6_pktinfo>(each);
      datagram.destination = FromKernel(info.ipi6_addr);
      datagram.interface_index = static_cast<int>(info.ipi6_ifindex);
    }
  }
  return datagram;
}

Fd OpenBfdSender(const BfdSettings& settings, const std::function<uint64_t()>& random, int& error) {
  const IpAddress& peer = settings.peer.address;
  const std::string& interface = settings.peer.interface;
  const bool ipv4 = peer.family == Family::kIpv4;
  const auto fail = [&error] {
    error = errno;
    return Fd();
  };
  Fd fd(socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail();
  if (!interface.empty()) {
    const auto size = static_cast<socklen_t>(interface.size());
    if (setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.data(), size) != 0) return fail();
  }
  const bool marked =
      ipv4 ? SetInt(fd.get(), IPPROTO_IP, IP_TTL, kHopLimit) && SetInt(fd.get(), IPPROTO_IP, IP_TOS, kClassSelector6)
           : SetInt(fd.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, kHopLimit) &&
                 SetInt(fd.get(), IPPROTO_IPV6, IPV6_TCLASS, kClassSelector6);
  if (!marked) return fail();
  (void)SetInt(fd.get(), SOL_SOCKET, SO_RCVBUF, 0);  // nobody answers to it

  const auto scope_of = [&](const IpAddress& address) {
    return IsLinkLocal(address) ? if_nametoindex(interface.c_str()) : 0;
  };
  const IpAddress local = settings.local.value_or(IpAddress{peer.family, {}});
  for (int attempt = 1;; attempt++) {
    const auto port = static_cast<uint16_t>(kFirstSourcePort + random() % kSourcePorts);
    const SocketAddress from = ToSocketAddress(local, port, scope_of(local));
    if (bind(fd.get(), from.get(), from.size) == 0) break;
    if (errno != EADDRINUSE || attempt == kPortAttempts) return fail();
  }
  const SocketAddress to = ToSocketAddress(peer, settings.port, scope_of(peer));
  if (connect(fd.get(), to.get(), to.size) != 0) return fail();
  error = 0;
  return fd;
}

}  // namespace garpoon
