// What is set on a TCP socket of a routing session, before it dials or listens. From any thread.
//
// Needs no capability but CAP_NET_RAW for a device on kernels before 5.7, and CAP_NET_BIND_SERVICE for a port below
// 1024; not that a key does.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "address.h"
#include "failure.h"
#include "fd.h"

namespace garpoon {

// As TCP_MD5SIG_MAXKEYLEN.
inline constexpr size_t kMaxTcpKey = 80;

struct TcpOptions {
  std::string device;         // an interface or VRF to bind to; empty: none
  uint8_t ttl = 0;            // of what is sent, IPv6's hop limit; 0: the system's
  uint8_t minimum_ttl = 0;    // what is received with less is dropped by the kernel (GTSM, RFC 5082); 0: nothing
  uint32_t user_timeout = 0;  // for how many ms what is sent may stay unacknowledged; 0: as long as the system says
};

// Non-blocking, and with the options set, TCP_NODELAY, and DSCP CS6. Invalid with `failure` set when that fails; the
// operation is the name of the call or option.
[[nodiscard]] Fd OpenTcpSocket(Family family, const TcpOptions& options, Failure& failure);

// The key of segments to and from a peer (RFC 2385); empty: none. On a connected, a closed or a listening socket.
[[nodiscard]] Failure SetTcpKey(int fd, const IpAddress& peer, std::span<const uint8_t> key);

// Of a socket that is open already.
[[nodiscard]] Failure SetTcpTtl(int fd, uint8_t ttl, uint8_t minimum_ttl);

// The index of an interface that a link-local address is on; 0, and nothing is wrong, when the name is empty.
[[nodiscard]] uint32_t ScopeOf(const IpAddress& address, const std::string& interface, Failure& failure);

struct TcpInfo {
  uint8_t state = 0;            // as in <netinet/tcp.h>: 1 is ESTABLISHED
  uint32_t rtt = 0;             // smoothed; microseconds, as is its variance
  uint32_t rtt_variance = 0;    //
  uint32_t retransmits = 0;     // since the connection began
  uint32_t unacknowledged = 0;  // segments
  uint8_t timeouts = 0;         // in a row, of what is sent now
};

// The operation of the failure is empty when there is none.
[[nodiscard]] Failure ReadTcpInfo(int fd, TcpInfo& out);

}  // namespace garpoon
