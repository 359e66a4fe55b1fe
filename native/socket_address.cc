#include "socket_address.h"

#include <arpa/inet.h>

#include <cstring>

namespace garpoon {

SocketAddress ToSocketAddress(const IpAddress& address, uint16_t port, uint32_t scope) {
  SocketAddress result;
  if (address.family == Family::kIpv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.bytes.data(), sizeof in.sin_addr);
    std::memcpy(&result.storage, &in, sizeof in);
    result.size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, address.bytes.data(), sizeof in.sin6_addr);
    in.sin6_scope_id = scope;
    std::memcpy(&result.storage, &in, sizeof in);
    result.size = sizeof in;
  }
  return result;
}

IpAddress FromKernel(const in_addr& address) {
  IpAddress result;
  std::memcpy(result.bytes.data(), &address, sizeof address);
  return result;
}

IpAddress FromKernel(const in6_addr& address) {
  IpAddress result{Family::kIpv6, {}};
  std::memcpy(result.bytes.data(), &address, sizeof address);
  return result;
}

bool IsLinkLocal(const IpAddress& address) {
  return address.family == Family::kIpv6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

}  // namespace garpoon
