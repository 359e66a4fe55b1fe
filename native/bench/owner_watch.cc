// owner_watch INTERFACE RATE ADDRESS...: who answers for each address, as a bystander on the LAN sees it.
//
// Asks everybody for every address RATE times a second by ARP, as a station of its own, so that the neighbour cache of
// the host it runs on learns nothing from it, and listens to all ARP on the wire. Prints "watching" when nothing is
// missed any more, then a line for each answer to it and each announcement to everyone:
//   microseconds since 1970 (the kernel's time stamp), index of the address, MAC address, "answer" or "announcement"
// Ends when stdin does.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "packet_program.h"

namespace bench {
namespace {

constexpr uint32_t kMaxRate = 10'000;
constexpr int kReceiveBuffer = 16 << 20;
constexpr int64_t kFlushInterval = kSecond / 20;
constexpr Mac kStation = {0x02, 0x18, 0x00, 0x00, 0x00, 0xc9};
constexpr uint32_t kStationAddress = 0xc61200c9;  // 198.18.0.201
constexpr Mac kEveryone = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// RFC 826, for Ethernet and IPv4.
struct __attribute__((packed)) ArpFrame {
  Mac destination;
  Mac source;
  uint16_t ether_type;
  uint16_t hardware;
  uint16_t protocol;
  uint8_t hardware_length;
  uint8_t protocol_length;
  uint16_t operation;
  Mac sender_mac;
  uint32_t sender;
  Mac target_mac;
  uint32_t target;
};

constexpr uint16_t kReply = 2;

class Watch {
 public:
  Watch(const char* interface, std::vector<uint32_t> addresses, uint32_t rate)
      : addresses_(std::move(addresses)),
        interval_(kSecond / (static_cast<int64_t>(rate) * static_cast<int64_t>(addresses_.size()))),
        fd_(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0)) {
    for (size_t i = 0; i < addresses_.size(); i++) index_.emplace(addresses_[i], i);
    if (fd_ < 0) Die("socket");
    const int on = 1;
    if (setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0) Die("PACKET_IGNORE_OUTGOING");
    if (setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) Die("SO_TIMESTAMPNS");
    // Best effort: a user namespace may not force it.
    (void)setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
    // For answers to a station that the interface is not.
    packet_mreq promiscuous{};
    promiscuous.mr_ifindex = static_cast<int>(if_nametoindex(interface));
    promiscuous.mr_type = PACKET_MR_PROMISC;
    if (setsockopt(fd_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) != 0) Die("promiscuous");
    Bind(fd_, interface, ETH_P_ARP);
  }

  void Run() {
    int64_t due = Now(CLOCK_MONOTONIC);
    int64_t flush = due;
    for (size_t next = 0;;) {
      const int64_t now = Now(CLOCK_MONOTONIC);
      // What is overdue is left out: a burst of questions would ask nothing more.
      if (due <= now) {
        Ask(addresses_[next++ % addresses_.size()]);
        due = std::max(due + interval_, now);
      }
      while (Receive()) {
      }
      if (flush <= now) {
        std::fflush(stdout);
        flush = now + kFlushInterval;
      }
      if (WaitUntil(due)) return;
    }
  }

 private:
  void Ask(uint32_t address) const {
    const ArpFrame frame{kEveryone, kStation, htons(ETH_P_ARP),       htons(1), htons(ETH_P_IP), ETH_ALEN, 4,
                         htons(1),  kStation, htonl(kStationAddress), Mac{},    address};
    (void)send(fd_, &frame, sizeof frame, 0);  // while the cable is out, nobody is asked
  }

  // False when nothing is waiting.
  bool Receive() const {
    std::array<uint8_t, 128> bytes;
    alignas(cmsghdr) std::array<uint8_t, 64> control;
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t length = recvmsg(fd_, &message, 0);
    if (length < 0) return false;
    if (static_cast<size_t>(length) < sizeof(ArpFrame)) return true;
    ArpFrame frame;
    std::memcpy(&frame, bytes.data(), sizeof frame);
    const auto found = index_.find(frame.sender);
    const bool announcement = frame.target == frame.sender;
    if (found == index_.end() || (!announcement && ntohs(frame.operation) != kReply)) return true;
    const Mac& mac = frame.sender_mac;
    std::printf("%lld %zu %02x:%02x:%02x:%02x:%02x:%02x %s\n", Arrival(message), found->second, mac[0], mac[1], mac[2],
                mac[3], mac[4], mac[5], announcement ? "announcement" : "answer");
    return true;
  }

  static long long Arrival(msghdr& message) {
    for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
      if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SO_TIMESTAMPNS) continue;
      timespec at;
      std::memcpy(&at, CMSG_DATA(each), sizeof at);
      return at.tv_sec * 1'000'000LL + at.tv_nsec / 1000;
    }
    return Now(CLOCK_REALTIME) / 1000;
  }

  // True when stdin has ended.
  bool WaitUntil(int64_t until) const {
    pollfd waiting[2] = {{fd_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    const int64_t left = std::max<int64_t>(0, until - Now(CLOCK_MONOTONIC));
    const timespec timeout{left / kSecond, left % kSecond};
    if (ppoll(waiting, 2, &timeout, nullptr) <= 0) return false;
    char ignored[64];
    return waiting[1].revents != 0 && read(STDIN_FILENO, ignored, sizeof ignored) == 0;
  }

  const std::vector<uint32_t> addresses_;       // network order
  std::unordered_map<uint32_t, size_t> index_;  // address -> its place in addresses_
  const int64_t interval_;
  const int fd_;
};

int Main(std::span<char*> arguments) {
  if (arguments.size() < 4) Refuse("usage: owner_watch INTERFACE RATE ADDRESS...");
  const uint32_t rate = ParseCount(arguments[2], kMaxRate);
  if (rate == 0) Refuse("a rate of 0");
  std::vector<uint32_t> addresses;
  for (const char* argument : arguments.subspan(3)) {
    in_addr address;
    if (inet_pton(AF_INET, argument, &address) != 1) Refuse(std::string("not an IPv4 address: ") + argument);
    addresses.push_back(address.s_addr);
  }
  (void)RunBeforeOrdinaryThreads();
  AllowLateReader();
  Watch watch(arguments[1], std::move(addresses), rate);
  std::puts("watching");
  std::fflush(stdout);
  watch.Run();
  std::fflush(stdout);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int count, char** arguments) { return bench::Main({arguments, static_cast<size_t>(count)}); }
