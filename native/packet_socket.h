// An AF_PACKET socket on one interface, and the batches that frames are received and sent in.
#pragma once

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "answer.h"
#include "fd.h"
#include "socket_filter.h"

namespace garpoon {

inline constexpr size_t kBatch = 64;  // frames per system call; larger gains nothing

// Buffers for one recvmmsg. What Receive() returned is valid until the next call.
class ReceiveBatch {
 public:
  ReceiveBatch();
  // The number of frames, 0 when none is waiting, or a negative errno.
  [[nodiscard]] int Receive(int fd);
  [[nodiscard]] ReceivedFrame frame(size_t index) const;

 private:
  // A solicitation signed as RFC 3971 asks may come near an Ethernet frame's limit.
  static constexpr size_t kBufferSize = 2048;
  struct Slot {
    std::array<uint8_t, kBufferSize> buffer;
    sockaddr_ll from;
    iovec part;
  };
  std::unique_ptr<std::array<Slot, kBatch>> slots_;
  std::array<mmsghdr, kBatch> headers_{};
};

// Frames that wait for one sendmmsg.
class SendBatch {
 public:
  SendBatch();
  [[nodiscard]] bool full() const { return count_ == kBatch; }
  // Copies the frame. Not when full.
  void Add(std::span<const uint8_t> frame);

  struct Sent {
    size_t frames = 0;
    size_t failures = 0;
  };
  // Empties the batch. A frame that the kernel does not take is lost: whoever asked asks again.
  Sent Flush(int fd);

 private:
  static constexpr size_t kLongest = 86;  // a neighbour advertisement
  struct Slot {
    std::array<uint8_t, kLongest> buffer;
    iovec part;
  };
  std::array<Slot, kBatch> slots_{};
  std::array<mmsghdr, kBatch> headers_{};
  size_t count_ = 0;
};

class PacketSocket {
 public:
  // Opens and binds. 0 or an errno. The socket outlives its interface being switched off and on, renamed or given
  // another MAC address; not its deletion.
  [[nodiscard]] int Open(Protocol protocol, int interface_index);
  void Close() { fd_ = Fd(); }

  [[nodiscard]] bool is_open() const { return fd_.valid(); }
  [[nodiscard]] int fd() const { return fd_.get(); }

  // Lets frames for every multicast group in, or no longer. 0 or an errno.
  [[nodiscard]] int SetAllMulticast(bool on, int interface_index);

  // Frames lost since the last call because the socket's buffer was full.
  [[nodiscard]] uint64_t TakeDrops();

 private:
  Fd fd_;
};

}  // namespace garpoon
