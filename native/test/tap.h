// A socket on the near end of the cable that sees what its filter passes, of every protocol and either direction.
#pragma once

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "../fd.h"
#include "check.h"
#include "filter_frames.h"
#include "network.h"

namespace garpoon::test {

class Tap {
 public:
  explicit Tap(const Cable& cable) : cable_(cable), fd_(Open(ETH_P_ALL)), sender_(Open(0)) {}

  // 0 or an errno.
  [[nodiscard]] int Attach(std::vector<sock_filter> program) const {
    const sock_fprog option{static_cast<unsigned short>(program.size()), program.data()};
    return setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &option, sizeof option) == 0 ? 0 : errno;
  }

  // An eBPF program's descriptor.
  [[nodiscard]] int Attach(int program) const {
    return setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) == 0 ? 0 : errno;
  }

  // The length of each row's frame as it was received; 0 if it was not. The first row's frame must pass.
  std::vector<size_t> Receive(const std::vector<Row>& rows) const {
    for (size_t i = 0; i < rows.size(); i++) Send(rows[i], i);
    // Frames stay in order: when this one is there, all are.
    Send(rows.front(), rows.size());
    std::vector<size_t> lengths(rows.size());
    for (;;) {
      pollfd readable{fd_.get(), POLLIN, 0};
      if (!EXPECT_EQ(poll(&readable, 1, 10'000), 1)) return lengths;
      Frame frame(2048);
      const ssize_t length = recv(fd_.get(), frame.data(), frame.size(), 0);
      if (length <= 0 || frame[9] != kMark) continue;
      const auto index = static_cast<size_t>(frame[10] << 8 | frame[11]);
      if (index == rows.size()) return lengths;
      lengths.at(index) = static_cast<size_t>(length);
    }
  }

 private:
  static constexpr uint8_t kMark = 0x5a;

  static Fd Open(uint16_t protocol) {
    Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    const sock_fprog closed{1, &drop};
    const int buffer = 8 << 20;
    sockaddr_ll local{};
    local.sll_family = AF_PACKET;
    local.sll_protocol = htons(protocol);
    local.sll_ifindex = static_cast<int>(if_nametoindex("near"));
    if (setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &closed, sizeof closed) != 0) std::abort();
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) std::abort();
    return fd;
  }

  // To the destination that makes the kernel give the frame its type, from a source that says which it is.
  void Send(const Row& row, size_t index) const {
    static constexpr std::array kDestinations = {"02000000000f", "ffffffffffff", "333300000001", "02000000000e",
                                                 "02000000000c"};  // by packet type
    const std::array source = {kMark, static_cast<uint8_t>(index >> 8), static_cast<uint8_t>(index)};
    const Frame frame = With(With(row.frame, 0, kDestinations[row.packet_type]), 9, source);
    if (row.packet_type == PACKET_OUTGOING) {
      (void)!send(sender_.get(), frame.data(), frame.size(), 0);
    } else {
      cable_.Send(frame);
    }
  }

  const Cable& cable_;
  Fd fd_;
  Fd sender_;
};

}  // namespace garpoon::test
