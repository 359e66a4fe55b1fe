// The UDP sockets of BFD: one that receives for each family and port, one that sends for each session.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "bfd_settings.h"
#include "bfd_table.h"
#include "fd.h"

namespace garpoon {

// Packet thread only.
class BfdReceiver {
 public:
  // 0 or an errno.
  [[nodiscard]] int Open(Family family, uint16_t port);
  [[nodiscard]] int fd() const { return fd_.get(); }

  // Hands on what is there, and returns how much that was. Not more than is reasonable: who floods the port must not
  // keep the thread.
  size_t Receive(const std::function<void(const BfdDatagram&)>& sink);

 private:
  static constexpr size_t kBatch = 64;
  static constexpr size_t kMaxBatches = 64;
  static constexpr size_t kLongest = 256;  // a longer datagram is cut off, and no packet says that it is longer

  struct Slot {
    std::array<uint8_t, kLongest> payload;
    alignas(cmsghdr) std::array<uint8_t, 128> control;
    sockaddr_storage source;
    iovec part;
  };
  void Prepare(size_t index);
  [[nodiscard]] int FillBatch();
  [[nodiscard]] BfdDatagram Read(const mmsghdr& header, const Slot& slot) const;

  Fd fd_;
  Family family_{};
  uint16_t port_ = 0;
  std::array<Slot, kBatch> slots_;
  std::array<mmsghdr, kBatch> headers_;
};

// Opens and connects a socket from a random source port of RFC 5881 section 4. `error` is 0 or an errno; `random` a
// source of them.
[[nodiscard]] Fd OpenBfdSender(const BfdSettings& settings, const std::function<uint64_t()>& random, int& error);

}  // namespace garpoon
