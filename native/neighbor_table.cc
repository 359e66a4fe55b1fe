#include "neighbor_table.h"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "fd.h"

namespace garpoon {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTimeout{1000};  // for all dumps together
constexpr size_t kReceiveSize = 64 * 1024;           // the kernel fills at most 32 KiB of a dump into one datagram
// A router may have a million routes, but by few gateways.
constexpr size_t kMaxEntries = 65536;
// Where routes never stop changing no dump is consistent, and the last one has to do.
constexpr int kMaxAttempts = 4;

struct Request {
  uint16_t type;
  uint8_t family;
};

// Waits until there is something to read. 0 or an errno.
int Await(int fd, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return ETIMEDOUT;
    pollfd readable{fd, POLLIN, 0};
    const int ready = poll(&readable, 1, static_cast<int>(left));
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return errno;
  }
}

// Takes the next datagram, if it is from the kernel. 0 or an errno.
int ReceiveOne(int fd, std::vector<uint8_t>& buffer, NeighborDump& dump) {
  sockaddr_nl sender{};
  iovec part{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_name = &sender;
  header.msg_namelen = sizeof sender;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  const ssize_t length = recvmsg(fd, &header, MSG_DONTWAIT);
  if (length < 0) return errno == EINTR || errno == EAGAIN ? 0 : errno;
  if (sender.nl_pid != 0) return 0;
  if ((header.msg_flags & MSG_TRUNC) != 0) dump.interrupted = true;
  ParseNeighborMessages({buffer.data(), static_cast<size_t>(length)}, dump);
  return 0;
}

// On a socket of its own, so that nothing is left over of a dump that was given up. 0 or an errno.
int DumpOnce(const Request& wanted, Clock::time_point deadline, std::vector<uint8_t>& buffer, NeighborDump& dump) {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return errno;
  struct {
    nlmsghdr header;
    rtmsg info;  // as long as ndmsg, and the family comes first in both
  } request{};
  static_assert(sizeof(rtmsg) == sizeof(ndmsg));
  request.header = {sizeof request, wanted.type, NLM_F_REQUEST | NLM_F_DUMP, 1, 0};
  request.info.rtm_family = wanted.family;
  if (send(socket.get(), &request, sizeof request, 0) < 0) return errno;
  while (!dump.done && dump.entries < kMaxEntries) {
    if (const int error = Await(socket.get(), deadline)) return error;
    if (const int error = ReceiveOne(socket.get(), buffer, dump)) return error;
  }
  return dump.error;
}

// Until it is consistent. 0 or an errno.
int Dump(const Request& wanted, Clock::time_point deadline, NeighborDump& dump) {
  std::vector<uint8_t> buffer(kReceiveSize);
  for (int attempt = 0; attempt < kMaxAttempts; attempt++) {
    dump = {};
    if (const int error = DumpOnce(wanted, deadline, buffer, dump)) return error;
    if (!dump.interrupted) break;
  }
  return 0;
}

}  // namespace

int ReadUnicastTargets(UnicastScope scope, size_t limit_per_interface, std::map<int, std::vector<UnicastTarget>>& out) {
  out.clear();
  if (scope == UnicastScope::kOff) return 0;
  const auto deadline = Clock::now() + kTimeout;
  NeighborDump known, ipv4, ipv6;
  if (const int error = Dump({RTM_GETNEIGH, AF_UNSPEC}, deadline, known)) return error;
  if (const int error = Dump({RTM_GETROUTE, AF_INET}, deadline, ipv4)) return error;
  if (const int error = Dump({RTM_GETROUTE, AF_INET6}, deadline, ipv6)) return error;
  for (const auto& [index, neighbors] : known.neighbors) {
    std::vector<UnicastTarget> gateways, others;
    for (const auto& [address, neighbor] : neighbors) {
      const bool gateway =
          neighbor.router || ipv4.gateways[index].contains(address) || ipv6.gateways[index].contains(address);
      (gateway ? gateways : others).push_back({address, neighbor.mac});
    }
    if (scope == UnicastScope::kNeighbors) gateways.insert(gateways.end(), others.begin(), others.end());
    if (gateways.size() > limit_per_interface) gateways.resize(limit_per_interface);
    if (!gateways.empty()) out.emplace(index, std::move(gateways));
  }
  return 0;
}

}  // namespace garpoon
