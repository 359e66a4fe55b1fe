// A cable in this process's network namespace, and a tester's socket at its far end.
#pragma once

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "../fd.h"
#include "check.h"

namespace garpoon::test {

// Runs ip(8) once for each line.
inline void RunIp(const std::string& lines) {
  FILE* ip = popen("PATH=$PATH:/usr/sbin:/sbin ip -batch -", "w");
  std::fputs((lines + "\n").c_str(), ip);
  if (pclose(ip) == 0) return;
  std::printf("    failed: ip %s\n", lines.c_str());
  std::abort();
}

inline std::string ReadAll(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Polls until `condition` holds, 10 s at most.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// veth pair: `near` with MAC …:0f is the responder's, `far` with MAC …:0c the tester's.
class Cable {
 public:
  Cable() {
    RunIp("link add near address 02:00:00:00:00:0f type veth peer name far address 02:00:00:00:00:0c");
    RunIp("link set near up");
    RunIp("link set far up");
    fd_ = Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll local{};
    local.sll_family = AF_PACKET;
    local.sll_protocol = htons(ETH_P_ALL);
    local.sll_ifindex = static_cast<int>(if_nametoindex("far"));
    const int ignore_outgoing = 1;
    setsockopt(fd_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore_outgoing, sizeof ignore_outgoing);
    const int buffer = 8 << 20;
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) std::abort();
  }
  ~Cable() {
    if (if_nametoindex("far") != 0) RunIp("link del far");
  }

  // The frame is lost while either end is down.
  void Send(const std::vector<uint8_t>& frame) const { (void)!send(fd_.get(), frame.data(), frame.size(), 0); }

  // The next frame for which `wanted` is true; empty after `timeout` ms.
  std::vector<uint8_t> Receive(const std::function<bool(const std::vector<uint8_t>&)>& wanted, int timeout) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout);
    for (;;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
      pollfd readable{fd_.get(), POLLIN, 0};
      if (poll(&readable, 1, left > 0 ? static_cast<int>(left) : 0) <= 0) return {};
      std::vector<uint8_t> frame(2048);
      const ssize_t length = recv(fd_.get(), frame.data(), frame.size(), 0);
      frame.resize(length > 0 ? static_cast<size_t>(length) : 0);
      if (wanted(frame)) return frame;
    }
  }

 private:
  Fd fd_;
};

}  // namespace garpoon::test
