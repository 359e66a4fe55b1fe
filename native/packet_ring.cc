#include "packet_ring.h"

#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace garpoon {
namespace {

// At the highest rates, several milliseconds in which the thread may be kept from running.
constexpr size_t kSlots = 4096;
constexpr size_t kFewestSlots = 512;  // when memory is short
constexpr size_t kBlockSize = 64 * 1024;

const sockaddr_ll& SenderOf(const uint8_t* slot) {
  return *reinterpret_cast<const sockaddr_ll*>(slot + TPACKET_ALIGN(sizeof(tpacket2_hdr)));
}

}  // namespace

int PacketRing::Open(int fd, size_t slot_size) {
  const int version = TPACKET_V2;
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0) return errno;
  const int copy_what_does_not_fit = 1;
  if (setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &copy_what_does_not_fit, sizeof copy_what_does_not_fit) != 0) {
    return errno;
  }
  int error = ENOMEM;
  size_t slots = kSlots;
  for (; error == ENOMEM && slots >= kFewestSlots; slots /= 2) {
    tpacket_req request{};
    request.tp_block_size = static_cast<unsigned>(std::min(kBlockSize, slots * slot_size));
    request.tp_block_nr = static_cast<unsigned>(slots * slot_size / request.tp_block_size);
    request.tp_frame_size = static_cast<unsigned>(slot_size);
    request.tp_frame_nr = static_cast<unsigned>(slots);
    slots_ = slots;
    error = setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) == 0 ? 0 : errno;
  }
  if (error != 0) return error;
  void* const memory = mmap(nullptr, slots_ * slot_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return errno;
  fd_ = fd;
  memory_ = static_cast<uint8_t*>(memory);
  slot_size_ = slot_size;
  next_ = 0;
  longer_ = std::make_unique<uint8_t[]>(kLongest);
  return 0;
}

void PacketRing::Close() {
  if (memory_ != nullptr) munmap(memory_, slots_ * slot_size_);
  memory_ = nullptr;
  fd_ = -1;
}

bool PacketRing::Next(ReceivedFrame& frame) {
  if (memory_ == nullptr) return false;
  auto& header = *reinterpret_cast<tpacket2_hdr*>(slot());
  // Pairs with the kernel's write of the status, which comes after the frame.
  const uint32_t status = __atomic_load_n(&header.tp_status, __ATOMIC_ACQUIRE);
  if ((status & TP_STATUS_USER) == 0) return false;
  if ((status & TP_STATUS_LOSING) != 0) lost_ = true;
  frame.packet_type = SenderOf(slot()).sll_pkttype;
  if ((status & TP_STATUS_COPY) != 0) {
    const ssize_t length = ReceiveWhole();
    const size_t whole = length > 0 ? static_cast<size_t>(length) : 0;
    frame.bytes = {longer_.get(), std::min(whole, kLongest)};
    frame.truncated = whole > kLongest || length < 0;
    return true;
  }
  const size_t offset = std::min<size_t>(header.tp_mac, slot_size_);
  const size_t room = slot_size_ - offset;
  frame.bytes = {slot() + offset, std::min<size_t>(header.tp_snaplen, room)};
  // Cut off for want of room: the socket's queue was full as well. What the filter cut off was not wanted.
  frame.truncated = header.tp_snaplen >= room && header.tp_len > header.tp_snaplen;
  return true;
}

void PacketRing::Release() {
  auto& header = *reinterpret_cast<tpacket2_hdr*>(slot());
  // After everything that was read from the slot.
  __atomic_store_n(&header.tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  next_ = next_ + 1 == slots_ ? 0 : next_ + 1;
}

ssize_t PacketRing::ReceiveWhole() {
  const auto receive = [this] { return recv(fd_, longer_.get(), kLongest, MSG_DONTWAIT | MSG_TRUNC); };
  const ssize_t length = receive();
  // An error that the socket has to report, for instance ENETDOWN, comes once, in place of the frame.
  return length < 0 && errno != EAGAIN ? receive() : length;
}

void PacketRing::DropStrays() {
  while (memory_ != nullptr && ReceiveWhole() >= 0) {
  }
}

bool PacketRing::TakeLoss() {
  const bool lost = lost_;
  lost_ = false;
  return lost;
}

}  // namespace garpoon
