// Addresses as the kernel's socket calls take and give them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "address.h"

namespace garpoon {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// `scope` is the index of the interface of an IPv6 link-local address, otherwise 0.
[[nodiscard]] SocketAddress ToSocketAddress(const IpAddress& address, uint16_t port, uint32_t scope);

[[nodiscard]] IpAddress FromKernel(const in_addr& address);
[[nodiscard]] IpAddress FromKernel(const in6_addr& address);

// Of IPv6: fe80::/10.
[[nodiscard]] bool IsLinkLocal(const IpAddress& address);

[[nodiscard]] inline bool SetInt(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

}  // namespace garpoon
