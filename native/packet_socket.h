// An AF_PACKET socket on one interface, with the ring that frames are received in and the batch they are sent in.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "answer.h"
#include "fd.h"
#include "filter_set.h"
#include "packet_ring.h"

namespace garpoon {

inline constexpr size_t kBatch = 64;  // frames per system call; larger gains nothing

// Frames that wait for one sendmmsg.
class SendBatch {
 public:
  SendBatch();
  [[nodiscard]] bool full() const { return count_ == kBatch; }
  [[nodiscard]] size_t size() const { return count_; }
  // Drops what was added, and returns how much that was.
  size_t Clear() { return std::exchange(count_, 0); }
  // Copies the frame. Not when full.
  void Add(std::span<const uint8_t> frame);

  struct Sent {
    size_t frames = 0;
    size_t failures = 0;
    int error = 0;  // of the first frame that failed; those behind it were not tried
  };
  // Empties the batch.
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

// Packet thread only.
class PacketSocket {
 public:
  // Opens and binds, which takes the kernel some milliseconds. 0 or an errno. The socket outlives its interface being
  // switched off and on, renamed or given another MAC address; not its deletion.
  [[nodiscard]] int Open(Protocol protocol, int interface_index, const SocketFilter& filter);
  void Close();

  [[nodiscard]] bool is_open() const { return fd_.valid(); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] PacketRing& ring() { return ring_; }

  // Lets frames for every multicast group in, or no longer. 0 or an errno.
  [[nodiscard]] int SetAllMulticast(bool on, int interface_index);

  // What the kernel has to report, for instance ENETDOWN when the interface has gone down; 0 when nothing.
  [[nodiscard]] int TakeError();

  // Frames lost since the last call because the ring was full.
  [[nodiscard]] uint64_t TakeDrops();

 private:
  // The ring is unmapped before the descriptor goes.
  Fd fd_;
  PacketRing ring_;
};

}  // namespace garpoon
