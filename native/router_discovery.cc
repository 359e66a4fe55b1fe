#include "router_discovery.h"

#include <linux/icmpv6.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "socket_address.h"

namespace garpoon {
namespace {

constexpr size_t kMaxRouters = 8;     // remembered on one link: on most there is one
constexpr int kMaxReceived = 64;      // messages in one go
constexpr size_t kMaxMessage = 2048;  // longer ones are dropped
constexpr int kMaxSolicitations = 3;  // RFC 4861 section 10, as the two that follow
constexpr Nanoseconds kSolicitationInterval = 4'000 * kMillisecond;
constexpr Nanoseconds kAdvertisementGap = 3'000 * kMillisecond;
constexpr Nanoseconds kRetry = 1'000 * kMillisecond;
constexpr IpAddress kAllRouters{Family::kIpv6, {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};

struct Received {
  std::span<const uint8_t> message;
  IpAddress source{Family::kIpv6, {}};
  uint8_t hop_limit = 0;
  int index = 0;
};

// A control message's value.
template <typename T>
T DataOf(const cmsghdr* control) {
  T value;
  std::memcpy(&value, CMSG_DATA(control), sizeof value);
  return value;
}

// False when there is nothing. A message that is cut off comes empty.
bool ReceiveOne(int fd, std::span<uint8_t> buffer, Received& out) {
  sockaddr_in6 from{};
  alignas(cmsghdr) std::array<char, 256> control;
  iovec part{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_name = &from;
  header.msg_namelen = sizeof from;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t length;
  do {
    length = recvmsg(fd, &header, 0);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return false;
  out = {};
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) out.message = buffer.first(static_cast<size_t>(length));
  out.source = FromKernel(from.sin6_addr);
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level != IPPROTO_IPV6) continue;
    if (each->cmsg_type == IPV6_HOPLIMIT) out.hop_limit = static_cast<uint8_t>(DataOf<int>(each));
    if (each->cmsg_type == IPV6_PKTINFO) out.index = static_cast<int>(DataOf<in6_pktinfo>(each).ipi6_ifindex);
  }
  return true;
}

// The link-local address that the kernel would send from to all nodes of a link: not one that may yet be a duplicate.
Failure FindSource(int index, IpAddress& out) {
  const Fd fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const SocketAddress group = ToSocketAddress(kAllNodes, 1, static_cast<uint32_t>(index));
  if (!fd.valid()) return {"socket", errno};
  if (connect(fd.get(), group.get(), group.size) != 0) return {"find the link-local address", errno};
  sockaddr_in6 local{};
  socklen_t size = sizeof local;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &size) != 0) return {"getsockname", errno};
  out = FromKernel(local.sin6_addr);
  return IsLinkLocal(out) ? Failure{} : Failure{"find the link-local address", EADDRNOTAVAIL};
}

Failure FindMac(int fd, const std::string& name, MacAddress& out) {
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), sizeof request.ifr_name - 1);
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) return {"SIOCGIFHWADDR", errno};
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) return {"SIOCGIFHWADDR", EPFNOSUPPORT};
  std::memcpy(out.bytes.data(), request.ifr_hwaddr.sa_data, out.bytes.size());
  return {};
}

ipv6_mreq AllRoutersOn(int index) {
  ipv6_mreq request{};
  std::memcpy(&request.ipv6mr_multiaddr, kAllRouters.bytes.data(), sizeof request.ipv6mr_multiaddr);
  request.ipv6mr_interface = static_cast<unsigned>(index);
  return request;
}

}  // namespace

int RouterDiscovery::Open() {
  Fd fd(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
  if (!fd.valid()) return errno;
  icmp6_filter filter;
  std::memset(&filter, 0xff, sizeof filter);  // a bit blocks a type
  for (const RouterMessageType type : {RouterMessageType::kSolicitation, RouterMessageType::kAdvertisement}) {
    const auto bit = static_cast<uint32_t>(type);
    filter.data[bit / 32] &= ~(1U << (bit % 32));
  }
  const bool set = setsockopt(fd.get(), IPPROTO_ICMPV6, ICMPV6_FILTER, &filter, sizeof filter) == 0 &&
                   SetInt(fd.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
                   SetInt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
                   SetInt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255) &&
                   SetInt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
  if (!set) return errno;
  fd_ = std::move(fd);
  return 0;
}

void RouterDiscovery::SetInterfaces(const std::vector<std::string>& names, Nanoseconds now) {
  std::vector<Link> links;
  for (const std::string& name : names) {
    const auto same = [&name](const Link& link) { return link.name == name; };
    if (std::ranges::any_of(links, same)) continue;
    const auto old = std::ranges::find_if(links_, same);
    Link link;
    if (old != links_.end()) {
      link = std::move(*old);
      links_.erase(old);
    }
    link.name = name;
    link.advertise_at = std::max(now, link.quiet_until);
    link.solicitations = kMaxSolicitations;
    link.solicit_at = now;
    links.push_back(std::move(link));
  }
  links_.swap(links);
  for (const Link& gone : links) Leave(gone.index);
}

void RouterDiscovery::Receive(Nanoseconds now, const Sink& sink) {
  std::array<uint8_t, kMaxMessage> buffer;
  Received received;
  for (int i = 0; i < kMaxReceived && ReceiveOne(fd_.get(), buffer, received); i++) {
    const auto link = std::ranges::find(links_, received.index, &Link::index);
    if (received.index == 0 || link == links_.end()) continue;
    RouterMessage message;
    const DropReason reason = ParseRouterMessage(received.message, received.source, received.hop_limit, message);
    if (reason != DropReason::kNone) continue;
    if (message.type == RouterMessageType::kAdvertisement) {
      Hear(*link, received.source, now, sink);
    } else {
      link->advertise_at = std::min(link->advertise_at, std::max(now, link->quiet_until));
    }
  }
}

void RouterDiscovery::Hear(Link& link, const IpAddress& source, Nanoseconds now, const Sink& sink) {
  link.solicitations = 0;
  const auto known = std::ranges::find(link.heard, source, &Router::address);
  const bool is_new = known == link.heard.end();
  if (!is_new) link.heard.erase(known);
  if (link.heard.size() == kMaxRouters) {
    // Whoever makes up addresses does not drive out those that are heard all the time.
    if (link.heard.back().at + 2 * interval_ > now) return;
    link.heard.pop_back();
  }
  link.heard.insert(link.heard.begin(), {source, now});
  if (is_new) sink({.index = link.index, .name = link.name, .address = source, .failure = {}});
}

Nanoseconds RouterDiscovery::SendDue(Nanoseconds now, const Sink& sink) {
  Nanoseconds next = kNever;
  for (Link& link : links_) {
    const auto due = [&link] {
      return link.solicitations > 0 ? std::min(link.advertise_at, link.solicit_at) : link.advertise_at;
    };
    if (due() <= now) {
      Failure failure = LookUp(link, now);
      if (failure.error == 0) failure = Send(link, now);
      if (failure.error != 0) link.advertise_at = link.solicit_at = now + kRetry;
      const bool told = failure == link.failure;
      link.failure = failure;
      if (failure.error != 0 && !told) {
        sink({.index = link.index, .name = link.name, .address = {Family::kIpv6, {}}, .failure = failure});
      }
    }
    next = std::min(next, due());
  }
  return next;
}

std::vector<HeardRouter> RouterDiscovery::Heard() const {
  std::vector<HeardRouter> all;
  for (const Link& link : links_) {
    for (const auto& [address, at] : link.heard) all.push_back({link.name, link.index, address, at});
  }
  return all;
}

// Another interface may have the name by now.
Failure RouterDiscovery::LookUp(Link& link, Nanoseconds now) {
  const auto index = static_cast<int>(if_nametoindex(link.name.c_str()));
  if (index == link.index && index != 0) return {};
  link.heard.clear();
  Leave(std::exchange(link.index, 0));
  if (index == 0) return {"if_nametoindex", ENODEV};
  const ipv6_mreq request = AllRoutersOn(index);
  if (setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof request) != 0 && errno != EADDRINUSE) {
    return {"IPV6_ADD_MEMBERSHIP", errno};
  }
  link.index = index;
  link.solicitations = kMaxSolicitations;
  link.advertise_at = link.solicit_at = now;
  return {};
}

// The kernel counts a membership for an interface that is gone, too, and a socket can have only so many.
void RouterDiscovery::Leave(int index) const {
  if (index == 0 || std::ranges::find(links_, index, &Link::index) != links_.end()) return;
  const ipv6_mreq request = AllRoutersOn(index);
  setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &request, sizeof request);
}

Failure RouterDiscovery::Send(Link& link, Nanoseconds now) {
  IpAddress source;
  MacAddress mac;
  Failure failure = FindSource(link.index, source);
  if (failure.error == 0) failure = FindMac(fd_.get(), link.name, mac);
  if (failure.error == 0 && link.advertise_at <= now) {
    failure = SendTo(link, source, kAllNodes, BuildRouterAdvertisement(mac));
    if (failure.error != 0) return failure;
    link.quiet_until = now + kAdvertisementGap;
    link.advertise_at = now + interval_ / 4 * 3 + random_() % (interval_ / 4);
  }
  if (failure.error == 0 && link.solicitations > 0 && link.solicit_at <= now) {
    failure = SendTo(link, source, kAllRouters, BuildRouterSolicitation(mac));
    if (failure.error != 0) return failure;
    link.solicitations -= 1;
    link.solicit_at = now + kSolicitationInterval;
  }
  return failure;
}

Failure RouterDiscovery::SendTo(const Link& link, const IpAddress& source, const IpAddress& group,
                                std::span<const uint8_t> message) const {
  SocketAddress to = ToSocketAddress(group, 0, static_cast<uint32_t>(link.index));
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, source.bytes.data(), sizeof info.ipi6_addr);
  info.ipi6_ifindex = static_cast<unsigned>(link.index);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof info)> control{};
  iovec part{const_cast<uint8_t*>(message.data()), message.size()};
  msghdr header{};
  header.msg_name = &to.storage;
  header.msg_namelen = to.size;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* const first = CMSG_FIRSTHDR(&header);
  first->cmsg_level = IPPROTO_IPV6;
  first->cmsg_type = IPV6_PKTINFO;
  first->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(first), &info, sizeof info);
  if (sendmsg(fd_.get(), &header, MSG_DONTWAIT) >= 0) return {};
  return {"send a router message", errno};
}

}  // namespace garpoon
