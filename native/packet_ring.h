// A TPACKET_V2 receive ring: the kernel writes frames into memory that it shares with this process, so that receiving
// takes neither a system call nor a copy.
//
//   slots_   | slot 0 | slot 1 | ... |      the kernel fills them in order, next_ is the one to read
//   slot     tpacket2_hdr | sockaddr_ll | frame      tp_status says whose it is: the kernel's, or TP_STATUS_USER
//
// Version 3 is no alternative: it hands frames over in blocks, by a timer, and a lone request waits a millisecond.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "answer.h"

namespace garpoon {

// Packet thread only.
class PacketRing {
 public:
  PacketRing() = default;
  ~PacketRing() { Close(); }
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  // For a socket that is not bound yet. Frames that do not fit a slot of `slot_size` bytes (a power of two) come by
  // way of the socket's queue, so that slots can be small. 0 or an errno.
  [[nodiscard]] int Open(int fd, size_t slot_size);
  // The memory goes when the socket is closed, too. Idempotent.
  void Close();

  // The oldest frame, which is valid until Release(); false when none waits.
  [[nodiscard]] bool Next(ReceivedFrame& frame);
  // Gives the frame of Next() back to the kernel.
  void Release();

  // Drops frames that came by way of the socket's queue and whose slots are gone: nobody else would ever take them.
  void DropStrays();

  // Whether the kernel has said since the last call that it lost frames because the ring was full.
  [[nodiscard]] bool TakeLoss();

 private:
  // A solicitation signed as RFC 3971 asks may come near an Ethernet frame's limit.
  static constexpr size_t kLongest = 2048;

  [[nodiscard]] ssize_t ReceiveWhole();
  [[nodiscard]] uint8_t* slot() const { return memory_ + next_ * slot_size_; }

  int fd_ = -1;
  uint8_t* memory_ = nullptr;
  size_t slot_size_ = 0;
  size_t slots_ = 0;
  size_t next_ = 0;
  bool lost_ = false;
  std::unique_ptr<uint8_t[]> longer_;  // kLongest bytes, for a frame that came by way of the socket's queue
};

}  // namespace garpoon
