// A TCP connection with everything set before the first segment is sent. From any thread; waiting for the connection is
// the caller's: a peer that does not answer, for instance because it has another key, is not noticed here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tcp_socket.h"

namespace garpoon {

struct TcpTarget {
  IpAddress address;
  uint16_t port = 0;
  std::string interface;            // that a link-local address is on
  std::optional<IpAddress> source;  // of the same family
  std::vector<uint8_t> key;         // TCP MD5, at most kMaxTcpKey bytes; empty: none
  TcpOptions options;
};

// A descriptor that connects, and is writable when that has ended. Invalid with `failure` set when it ended at once.
[[nodiscard]] Fd StartTcpDial(const TcpTarget& target, Failure& failure);

// Of a descriptor that has become writable, once: reading the error clears it.
[[nodiscard]] Failure FinishTcpDial(int fd);

}  // namespace garpoon
