#include "tcp_socket.h"

#include <linux/tcp.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "socket_address.h"

namespace garpoon {
namespace {

constexpr int kClassSelector6 = 0xc0;  // DSCP CS6, network control (RFC 4594 section 3.1)

// Remembers the first option that the kernel refuses, and sets none after it.
class Options {
 public:
  explicit Options(int fd) : fd_(fd) {}

  Options& Set(const char* name, int level, int option, const void* value, size_t size) {
    if (failure_.error != 0) return *this;
    if (setsockopt(fd_, level, option, value, static_cast<socklen_t>(size)) != 0) failure_ = {name, errno};
    return *this;
  }

  Options& Set(const char* name, int level, int option, int value) {
    return Set(name, level, option, &value, sizeof value);
  }

  [[nodiscard]] const Failure& failure() const { return failure_; }

 private:
  int fd_;
  Failure failure_;
};

void SetTtl(Options& options, Family family, uint8_t ttl, uint8_t minimum_ttl) {
  const int sent = ttl == 0 ? -1 : ttl;  // -1: the system's
  if (family == Family::kIpv4) {
    options.Set("IP_TTL", IPPROTO_IP, IP_TTL, sent).Set("IP_MINTTL", IPPROTO_IP, IP_MINTTL, minimum_ttl);
  } else {
    options.Set("IPV6_UNICAST_HOPS", IPPROTO_IPV6, IPV6_UNICAST_HOPS, sent)
        .Set("IPV6_MINHOPCOUNT", IPPROTO_IPV6, IPV6_MINHOPCOUNT, minimum_ttl);
  }
}

}  // namespace

Fd OpenTcpSocket(Family family, const TcpOptions& options, Failure& failure) {
  const bool ipv4 = family == Family::kIpv4;
  Fd fd(socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd.valid()) {
    failure = {"socket", errno};
    return {};
  }
  Options set(fd.get());
  set.Set("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1);
  if (ipv4) {
    set.Set("IP_TOS", IPPROTO_IP, IP_TOS, kClassSelector6);
  } else {
    set.Set("IPV6_TCLASS", IPPROTO_IPV6, IPV6_TCLASS, kClassSelector6).Set("IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  if (!options.device.empty()) {
    set.Set("SO_BINDTODEVICE", SOL_SOCKET, SO_BINDTODEVICE, options.device.data(), options.device.size());
  }
  SetTtl(set, family, options.ttl, options.minimum_ttl);
  if (options.user_timeout != 0) {
    set.Set("TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, &options.user_timeout, sizeof options.user_timeout);
  }
  failure = set.failure();
  return failure.error == 0 ? std::move(fd) : Fd();
}

Failure SetTcpKey(int fd, const IpAddress& peer, std::span<const uint8_t> key) {
  if (key.size() > kMaxTcpKey) return {"TCP_MD5SIG", EINVAL};
  tcp_md5sig option{};
  const SocketAddress address = ToSocketAddress(peer, 0, 0);
  std::memcpy(&option.tcpm_addr, &address.storage, address.size);
  option.tcpm_keylen = static_cast<uint16_t>(key.size());
  std::ranges::copy(key, option.tcpm_key);
  const bool set = setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &option, sizeof option) == 0;
  const int error = set ? 0 : errno;
  explicit_bzero(&option, sizeof option);
  // There was none.
  if (key.empty() && error == ENOENT) return {};
  return set ? Failure{} : Failure{"TCP_MD5SIG", error};
}

Failure SetTcpTtl(int fd, uint8_t ttl, uint8_t minimum_ttl) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return {"SO_DOMAIN", errno};
  Options options(fd);
  SetTtl(options, domain == AF_INET ? Family::kIpv4 : Family::kIpv6, ttl, minimum_ttl);
  return options.failure();
}

uint32_t ScopeOf(const IpAddress& address, const std::string& interface, Failure& failure) {
  if (!IsLinkLocal(address) || interface.empty()) return 0;
  const uint32_t index = if_nametoindex(interface.c_str());
  if (index == 0) failure = {"if_nametoindex", errno};
  return index;
}

Failure ReadTcpInfo(int fd, TcpInfo& out) {
  tcp_info info{};
  socklen_t size = sizeof info;  // an older kernel has less to tell
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {"TCP_INFO", errno};
  out.state = info.tcpi_state;
  out.rtt = info.tcpi_rtt;
  out.rtt_variance = info.tcpi_rttvar;
  out.retransmits = info.tcpi_total_retrans;
  out.unacknowledged = info.tcpi_unacked;
  out.timeouts = info.tcpi_retransmits;
  return {};
}

}  // namespace garpoon
