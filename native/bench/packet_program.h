// What the bench programs share. Each is one source file, and ends at the first thing that goes wrong.
#pragma once

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

namespace bench {

inline constexpr int64_t kSecond = 1'000'000'000;

using Mac = std::array<uint8_t, ETH_ALEN>;

[[noreturn]] inline void Die(const std::string& what) {
  std::fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what.c_str(), std::strerror(errno));
  std::exit(1);
}

[[noreturn]] inline void Refuse(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, what.c_str());
  std::exit(2);
}

inline int64_t Now(clockid_t clock) {
  timespec at;
  clock_gettime(clock, &at);
  return at.tv_sec * kSecond + at.tv_nsec;
}

// A whole number of at most `most`.
inline uint32_t ParseCount(const std::string& text, uint32_t most) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value > most) Refuse("not a number up to " + std::to_string(most) + ": " + text);
  return static_cast<uint32_t>(value);
}

// The lowest real-time priority, as the responder takes it. False when that is not permitted.
inline bool RunBeforeOrdinaryThreads() {
  const sched_param priority{.sched_priority = 1};
  return sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
}

// So that a reader of our lines who is late does not hold us up: Node gives a child a socket for its stdout.
inline void AllowLateReader() {
  constexpr int kBuffer = 4 << 20;
  (void)setsockopt(1, SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof kBuffer);
}

inline Mac MacOf(const char* interface) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) != 0) Die(interface);
  Mac mac;
  std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

// With protocol 0 a socket sends and receives nothing.
inline void Bind(int fd, const char* interface, uint16_t protocol) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (address.sll_ifindex == 0) Die(interface);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die("bind");
}

// Of an IPv6 frame without extension headers (RFC 8200 section 8.1). Zero when the frame's own checksum is right.
inline uint16_t Icmpv6Checksum(std::span<const uint8_t> frame) {
  constexpr size_t kAddresses = ETH_HLEN + 8;
  constexpr size_t kMessage = ETH_HLEN + 40;
  uint32_t sum = static_cast<uint32_t>(frame.size() - kMessage) + IPPROTO_ICMPV6;
  for (size_t at = kAddresses; at + 1 < frame.size(); at += 2) {
    sum += static_cast<uint32_t>(frame[at] << 8 | frame[at + 1]);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

}  // namespace bench
