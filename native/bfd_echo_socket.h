// How BFD echo packets leave and come back. A packet whose source is our own address is refused by the kernel's IP
// layer (a martian), and one that is addressed to us never leaves by it: both are seen on the link only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "address.h"
#include "bfd_table.h"
#include "fd.h"

namespace garpoon {

// Of one interface. Packet thread only.
class BfdEchoTap {
 public:
  // 0 or an errno. Needs CAP_NET_RAW.
  [[nodiscard]] int Open(int interface_index);
  [[nodiscard]] int fd() const { return fd_.get(); }

  [[nodiscard]] bool Send(const MacAddress& peer, std::span<const uint8_t> datagram);

  // Hands on every IPv4 datagram to the port of echo packets that is there, and not more than is reasonable.
  void Receive(const std::function<void(std::span<const uint8_t>)>& sink);

 private:
  Fd fd_;
  int interface_index_ = 0;
};

// What the kernel knows of a neighbour's hardware.
[[nodiscard]] std::optional<MacAddress> FindNeighbor(const IpAddress& address, int interface_index);

// Whether the kernel forwards what comes by the interface.
[[nodiscard]] bool Forwards(int interface_index);

// Sends it back from the socket that it came to.
[[nodiscard]] bool SendBack(int fd, const BfdDatagram& datagram);

}  // namespace garpoon
