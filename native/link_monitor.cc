#include "link_monitor.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace garpoon {
namespace {

constexpr size_t kReceiveSize = 64 * 1024;  // the kernel fills at most 32 KiB of a dump into one datagram
constexpr int kDatagramsPerTurn = 64;       // before packets get their turn again
constexpr int kSocketBuffer = 1 << 20;
constexpr int kDumpTimeout = 5000;          // milliseconds; the kernel answers a dump at once
constexpr uint32_t kExtSkipStats = 1 << 3;  // RTEXT_FILTER_SKIP_STATS

}  // namespace

int LinkMonitor::Open() {
  socket_ = Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!socket_.valid()) return errno;
  setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);  // smaller only means more resyncs
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  // Addresses only for link-local ones: when IPv6 comes up, group memberships must be made anew.
  local.nl_groups = RTMGRP_LINK | RTMGRP_IPV6_IFADDR;
  if (bind(fd(), reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) return errno;
  buffer_.resize(kReceiveSize);

  if (const int error = Resync()) return error;
  std::vector<LinkChange> ignored;
  uint64_t resyncs = 0;
  while (dumping_) {
    pollfd readable{fd(), POLLIN, 0};
    const int ready = poll(&readable, 1, kDumpTimeout);
    if (ready == 0) return ETIMEDOUT;
    if (ready < 0 && errno != EINTR) return errno;
    if (const int error = Receive(ignored, resyncs)) return error;
  }
  return 0;
}

int LinkMonitor::Resync() {
  // One dump at a time: the kernel refuses a second, and its end would be mistaken for the first's.
  if (dumping_) {
    dump_stale_ = true;
    return 0;
  }
  struct {
    nlmsghdr header;
    ifinfomsg info;
    rtattr attribute;
    uint32_t mask;
  } request{};
  request.header = {sizeof request, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, ++sequence_, 0};
  request.info.ifi_family = AF_UNSPEC;
  request.attribute = {sizeof request.attribute + sizeof request.mask, IFLA_EXT_MASK};
  request.mask = kExtSkipStats;
  if (send(fd(), &request, sizeof request, 0) < 0) return errno;
  dumping_ = true;
  dump_stale_ = false;
  table_.BeginDump();
  return 0;
}

int LinkMonitor::Receive(std::vector<LinkChange>& changes, uint64_t& resyncs) {
  int result = 0;
  for (int turn = 0; turn < kDatagramsPerTurn; turn++) {
    sockaddr_nl sender{};
    iovec part{buffer_.data(), buffer_.size()};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    const ssize_t length = recvmsg(fd(), &header, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return result;
    if (length < 0 && errno != ENOBUFS) return errno;
    if (length < 0 || (header.msg_flags & MSG_TRUNC) != 0) {
      resyncs += 1;
      if (const int error = Resync()) result = error;
      continue;
    }
    if (sender.nl_pid != 0) continue;  // only the kernel is believed
    messages_.clear();
    ParseLinkMessages({buffer_.data(), static_cast<size_t>(length)}, messages_);
    for (const LinkMessage& message : messages_) {
      if (const int error = Take(message, changes)) result = error;
    }
  }
  return result;
}

int LinkMonitor::Take(const LinkMessage& message, std::vector<LinkChange>& changes) {
  const bool of_dump = message.sequence == sequence_ && dumping_;
  if (of_dump && message.interrupted) dump_stale_ = true;
  switch (message.kind) {
    case LinkMessage::Kind::kPresent:
    case LinkMessage::Kind::kGone:
    case LinkMessage::Kind::kLinkLocal:
      table_.Apply(message, changes);
      return 0;
    case LinkMessage::Kind::kDumpDone:
      if (!of_dump) return 0;
      dumping_ = false;
      if (dump_stale_) return Resync();
      table_.EndDump(changes);
      return 0;
    case LinkMessage::Kind::kDumpFailed:
      if (!of_dump) return 0;
      dumping_ = false;
      return message.error;
  }
  return 0;
}

}  // namespace garpoon
