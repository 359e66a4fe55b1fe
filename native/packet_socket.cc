#include "packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace garpoon {
namespace {

// An ARP frame as the filter cuts it, and a solicitation with several options, each with what the ring puts before it.
constexpr size_t kArpSlot = 128;
constexpr size_t kNdpSlot = 256;

}  // namespace

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
  Sent result;
  while (result.frames < count_) {
    const auto left = static_cast<unsigned>(count_ - result.frames);
    const int taken = sendmmsg(fd, &headers_[result.frames], left, MSG_DONTWAIT);
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) {
      result.error = errno;
      break;
    }
    result.frames += static_cast<size_t>(taken);
  }
  result.failures = count_ - result.frames;
  count_ = 0;
  return result;
}

int PacketSocket::Open(Protocol protocol, int interface_index, const SocketFilter& filter) {
  // With protocol 0 nothing is delivered until bind(): otherwise frames of every interface, unfiltered, would be.
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno;
  std::swap(fd_, fd);
  int error = Attach(fd_.get(), protocol, filter);
  if (error == 0) error = ring_.Open(fd_.get(), protocol == Protocol::kArp ? kArpSlot : kNdpSlot);
  sockaddr_ll local{};
  local.sll_family = AF_PACKET;
  local.sll_protocol = htons(protocol == Protocol::kArp ? ETH_P_ARP : ETH_P_IPV6);
  local.sll_ifindex = interface_index;
  if (error == 0 && bind(fd_.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) error = errno;
  if (error != 0) Close();
  return error;
}

void PacketSocket::Close() {
  ring_.Close();
  fd_ = Fd();
}

int PacketSocket::SetAllMulticast(bool on, int interface_index) {
  packet_mreq request{};
  request.mr_ifindex = interface_index;
  request.mr_type = PACKET_MR_ALLMULTI;
  const int option = on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP;
  return setsockopt(fd(), SOL_PACKET, option, &request, sizeof request) == 0 ? 0 : errno;
}

int PacketSocket::TakeError() {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

uint64_t PacketSocket::TakeDrops() {
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  if (getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) return 0;
  return stats.tp_drops;
}

}  // namespace garpoon
