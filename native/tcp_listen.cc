#include "tcp_listen.h"

#include <algorithm>
#include <cerrno>

#include "socket_address.h"

namespace garpoon {
namespace {

constexpr int kBacklog = 256;

}  // namespace

TcpTtls ListenerTtls(const TcpListener& listener) {
  TcpTtls ttls;
  bool first = true;
  for (const TcpPeer& peer : listener.peers) {
    if (peer.address.family != listener.address.family) continue;
    // The SYN-ACK of the peer with the strictest check must pass; the others take it as well.
    ttls.ttl = std::max(ttls.ttl, peer.ttl);
    ttls.minimum_ttl = first ? peer.minimum_ttl : std::min(ttls.minimum_ttl, peer.minimum_ttl);
    first = false;
  }
  return ttls;
}

Fd OpenTcpListener(const TcpListener& listener, Failure& failure, const TcpPeer*& failed_peer) {
  failure = {};
  failed_peer = nullptr;
  const uint32_t scope = ScopeOf(listener.address, listener.interface, failure);
  if (failure.error != 0) return {};
  const TcpTtls ttls = ListenerTtls(listener);
  const TcpOptions options{.device = listener.device, .ttl = ttls.ttl, .minimum_ttl = ttls.minimum_ttl};
  Fd fd = OpenTcpSocket(listener.address.family, options, failure);
  if (!fd.valid()) return {};
  // Connections of a process that has just ended do not hinder.
  if (!SetInt(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1)) {
    failure = {"SO_REUSEADDR", errno};
    return {};
  }
  for (const TcpPeer& peer : listener.peers) {
    if (peer.key.empty() || peer.address.family != listener.address.family) continue;
    failure = SetTcpKey(fd.get(), peer.address, peer.key);
    if (failure.error == 0) continue;
    failed_peer = &peer;
    return {};
  }
  const SocketAddress local = ToSocketAddress(listener.address, listener.port, scope);
  if (bind(fd.get(), local.get(), local.size) != 0) {
    failure = {"bind", errno};
  } else if (listen(fd.get(), kBacklog) != 0) {
    failure = {"listen", errno};
  }
  return failure.error == 0 ? std::move(fd) : Fd();
}

}  // namespace garpoon
