// A listening TCP socket whose peers have keys of their own. From any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tcp_socket.h"

namespace garpoon {

struct TcpPeer {
  IpAddress address;
  std::vector<uint8_t> key;  // TCP MD5, at most kMaxTcpKey bytes; empty: none
  uint8_t ttl = 0;           // as in TcpOptions
  uint8_t minimum_ttl = 0;
};

struct TcpListener {
  IpAddress address;           // may be unspecified, of a family all the same
  uint16_t port = 0;           // 0: the kernel chooses
  std::string interface;       // that a link-local address is on
  std::string device;          // as in TcpOptions
  std::vector<TcpPeer> peers;  // those of the other family are passed over
};

// What the socket itself has of its peers: the kernel knows one of each for all of them, so that no peer is shut out
// before the connection is made. SetTcpTtl() on the accepted socket makes it the peer's own.
struct TcpTtls {
  uint8_t ttl = 0;
  uint8_t minimum_ttl = 0;
};
[[nodiscard]] TcpTtls ListenerTtls(const TcpListener& listener);

// Invalid with `failure` set when the kernel refuses. Then `failed_peer` is the address of the peer it is about, if
// any.
[[nodiscard]] Fd OpenTcpListener(const TcpListener& listener, Failure& failure, const TcpPeer*& failed_peer);

}  // namespace garpoon
