#include "packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace garpoon {
namespace {

// The kernel's default holds a few hundred frames, which a storm fills in a millisecond.
constexpr int kReceiveBuffer = 4 << 20;

void GrowReceiveBuffer(int fd) {
  // Beyond net.core.rmem_max only with CAP_NET_ADMIN; without it, as much as is allowed.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) == 0) return;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
}

}  // namespace

ReceiveBatch::ReceiveBatch() : slots_(std::make_unique<std::array<Slot, kBatch>>()) {
  for (size_t i = 0; i < kBatch; i++) {
    Slot& slot = (*slots_)[i];
    slot.part = {slot.buffer.data(), slot.buffer.size()};
    headers_[i].msg_hdr.msg_name = &slot.from;
    headers_[i].msg_hdr.msg_iov = &slot.part;
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

int ReceiveBatch::Receive(int fd) {
  for (mmsghdr& header : headers_) header.msg_hdr.msg_namelen = sizeof(sockaddr_ll);
  for (;;) {
    const int count = recvmmsg(fd, headers_.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
  }
}

ReceivedFrame ReceiveBatch::frame(size_t index) const {
  const Slot& slot = (*slots_)[index];
  const mmsghdr& header = headers_[index];
  const size_t length = std::min<size_t>(header.msg_len, slot.buffer.size());
  return {std::span(slot.buffer).first(length), slot.from.sll_pkttype, (header.msg_hdr.msg_flags & MSG_TRUNC) != 0};
}

SendBatch::SendBatch() {
  for (size_t i = 0; i < kBatch; i++) {
    slots_[i].part.iov_base = slots_[i].buffer.data();
    headers_[i].msg_hdr.msg_iov = &slots_[i].part;
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

void SendBatch::Add(std::span<const uint8_t> frame) {
  Slot& slot = slots_[count_];
  const size_t length = std::min(frame.size(), slot.buffer.size());
  std::memcpy(slot.buffer.data(), frame.data(), length);
  slot.part.iov_len = length;
  count_ += 1;
}

SendBatch::Sent SendBatch::Flush(int fd) {
  size_t sent = 0;
  while (sent < count_) {
    const int taken = sendmmsg(fd, &headers_[sent], static_cast<unsigned>(count_ - sent), MSG_DONTWAIT);
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) break;
    sent += static_cast<size_t>(taken);
  }
  const Sent result{sent, count_ - sent};
  count_ = 0;
  return result;
}

int PacketSocket::Open(Protocol protocol, int interface_index) {
  // With protocol 0 nothing is delivered until bind(): otherwise frames of every interface, unfiltered, would be.
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno;
  const auto filter = SocketFilter(protocol);
  const sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
  if (setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) return errno;
  GrowReceiveBuffer(fd.get());
  sockaddr_ll local{};
  local.sll_family = AF_PACKET;
  local.sll_protocol = htons(protocol == Protocol::kArp ? ETH_P_ARP : ETH_P_IPV6);
  local.sll_ifindex = interface_index;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) return errno;
  fd_ = std::move(fd);
  return 0;
}

int PacketSocket::SetAllMulticast(bool on, int interface_index) {
  packet_mreq request{};
  request.mr_ifindex = interface_index;
  request.mr_type = PACKET_MR_ALLMULTI;
  const int option = on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP;
  return setsockopt(fd(), SOL_PACKET, option, &request, sizeof request) == 0 ? 0 : errno;
}

uint64_t PacketSocket::TakeDrops() {
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  if (getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) return 0;
  return stats.tp_drops;
}

}  // namespace garpoon
