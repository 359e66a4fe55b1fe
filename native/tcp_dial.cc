#include "tcp_dial.h"

#include <cerrno>
#include <utility>

#include "socket_address.h"

namespace garpoon {

Fd StartTcpDial(const TcpTarget& target, Failure& failure) {
  failure = {};
  const IpAddress& peer = target.address;
  const uint32_t scope = ScopeOf(peer, target.interface, failure);
  if (failure.error != 0) return {};
  Fd fd = OpenTcpSocket(peer.family, target.options, failure);
  if (!fd.valid()) return {};
  if (!target.key.empty()) failure = SetTcpKey(fd.get(), peer, target.key);
  if (failure.error != 0) return {};

  if (target.source) {
    // The port is chosen by connect(), so that two connections to different peers can share one.
    (void)SetInt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    const uint32_t source_scope = ScopeOf(*target.source, target.interface, failure);
    const SocketAddress from = ToSocketAddress(*target.source, 0, source_scope);
    if (bind(fd.get(), from.get(), from.size) != 0) failure = {"bind", errno};
    if (failure.error != 0) return {};
  }
  const SocketAddress to = ToSocketAddress(peer, target.port, scope);
  if (connect(fd.get(), to.get(), to.size) != 0 && errno != EINPROGRESS) {
    failure = {"connect", errno};
    return {};
  }
  return fd;
}

Failure FinishTcpDial(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return {"SO_ERROR", errno};
  return error == 0 ? Failure{} : Failure{"connect", error};
}

}  // namespace garpoon
