// one_by_one INTERFACE FIRST+COUNT...: the responder anyone would write first, to measure the real one against.
//
// Answers ARP requests (RFC 826) and Neighbour Solicitations (RFC 4861) for the ranges of addresses: per protocol a
// packet socket and a thread that waits for one frame, looks its target up and sends one answer. It checks what makes
// an answer right, joins the groups that solicitations are sent to, and has the same buffer and the same priority as
// the responder; it has no socket filter and no batches. Prints {"realtime": whether it was given the priority} when
// it answers; ends when stdin does.

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <unordered_set>

#include "packet_program.h"

namespace bench {
namespace {

constexpr int kReceiveBuffer = 4 << 20;
constexpr uint32_t kMaxAddresses = 1 << 20;
constexpr size_t kMaxFrame = 2048;

// Offsets into a frame.
constexpr size_t kSource = ETH_ALEN;
constexpr size_t kArp = ETH_HLEN;
constexpr size_t kArpEnd = kArp + 28;
constexpr size_t kIp = ETH_HLEN;
constexpr size_t kIcmp = kIp + 40;
constexpr size_t kNeighborTarget = kIcmp + 8;
constexpr size_t kNeighborOptions = kIcmp + 24;
constexpr size_t kAdvertisementEnd = kNeighborOptions + 8;

using Address6 = std::array<uint8_t, 16>;

struct HashAddress6 {
  size_t operator()(const Address6& address) const {
    uint64_t words[2];
    std::memcpy(words, address.data(), sizeof words);
    return std::hash<uint64_t>()(words[0] * 0x9e3779b97f4a7c15 ^ words[1]);
  }
};

struct Served {
  std::unordered_set<uint32_t> v4;  // network order
  std::unordered_set<Address6, HashAddress6> v6;
};

Served ParseRanges(std::span<char*> arguments) {
  Served served;
  for (const std::string argument : arguments) {
    const size_t plus = argument.find('+');
    if (plus == std::string::npos) Refuse("not FIRST+COUNT: " + argument);
    const std::string first = argument.substr(0, plus);
    const uint32_t count = ParseCount(argument.substr(plus + 1), kMaxAddresses);
    in_addr v4;
    in6_addr v6;
    if (inet_pton(AF_INET, first.c_str(), &v4) == 1) {
      for (uint32_t i = 0; i < count; i++) served.v4.insert(htonl(ntohl(v4.s_addr) + i));
    } else if (inet_pton(AF_INET6, first.c_str(), &v6) == 1) {
      const uint32_t low = ntohl(v6.s6_addr32[3]);
      for (uint32_t i = 0; i < count; i++) {
        v6.s6_addr32[3] = htonl(low + i);
        served.v6.insert(std::to_array(v6.s6_addr));
      }
    } else {
      Refuse("not an address: " + first);
    }
  }
  return served;
}

// The length of the answer that `frame` now holds in place of the request; 0 when there is none to give.
using Answer = std::function<size_t(std::array<uint8_t, kMaxFrame>& frame, size_t length)>;

size_t AnswerArp(const Served& served, const Mac& mac, std::array<uint8_t, kMaxFrame>& frame, size_t length) {
  static constexpr uint8_t kRequest[] = {0, 1, 0x08, 0, 6, 4, 0, 1};  // over Ethernet, for IPv4
  uint8_t* arp = frame.data() + kArp;
  if (length < kArpEnd || std::memcmp(arp, kRequest, sizeof kRequest) != 0) return 0;
  uint32_t target;
  std::memcpy(&target, arp + 24, sizeof target);
  if (!served.v4.contains(target)) return 0;
  arp[7] = 2;
  std::memcpy(arp + 18, arp + 8, 10);  // the sender becomes the target
  std::memcpy(arp + 8, mac.data(), mac.size());
  std::memcpy(arp + 14, &target, sizeof target);
  std::memcpy(frame.data(), frame.data() + kSource, ETH_ALEN);
  std::memcpy(frame.data() + kSource, mac.data(), mac.size());
  std::fill(frame.begin() + kArpEnd, frame.begin() + ETH_ZLEN, 0);
  return ETH_ZLEN;
}

size_t AnswerNdp(const Served& served, const Mac& mac, std::array<uint8_t, kMaxFrame>& frame, size_t length) {
  uint8_t* ip = frame.data() + kIp;
  uint8_t* message = frame.data() + kIcmp;
  if (length < kNeighborOptions || ip[6] != IPPROTO_ICMPV6 || ip[7] != 255 || message[0] != 135) return 0;
  const size_t end = kIcmp + static_cast<size_t>(ip[4] << 8 | ip[5]);
  if (end < kNeighborOptions || end > length || Icmpv6Checksum({frame.data(), end}) != 0) return 0;
  Address6 target;
  std::memcpy(target.data(), frame.data() + kNeighborTarget, target.size());
  if (!served.v6.contains(target)) return 0;
  std::memcpy(frame.data(), frame.data() + kSource, ETH_ALEN);
  std::memcpy(frame.data() + kSource, mac.data(), mac.size());
  ip[4] = 0;
  ip[5] = kAdvertisementEnd - kIcmp;
  std::memcpy(ip + 24, ip + 8, 16);
  std::memcpy(ip + 8, target.data(), target.size());
  const uint8_t head[8] = {136, 0, 0, 0, 0x60};  // solicited, override
  std::memcpy(message, head, sizeof head);
  uint8_t* option = frame.data() + kNeighborOptions;
  option[0] = 2;  // target link-layer address
  option[1] = 1;
  std::memcpy(option + 2, mac.data(), mac.size());
  const uint16_t checksum = htons(Icmpv6Checksum({frame.data(), kAdvertisementEnd}));
  std::memcpy(message + 2, &checksum, sizeof checksum);
  return kAdvertisementEnd;
}

int OpenSocket(const char* interface, uint16_t protocol) {
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) Die("socket");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0 &&
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer) != 0) {
    Die("SO_RCVBUF");
  }
  Bind(fd, interface, protocol);
  return fd;
}

// The solicited-node groups (RFC 4291 section 2.7.1): a switch that snoops passes on no others.
void JoinGroups(const char* interface, const Served& served) {
  std::unordered_set<uint32_t> joined;
  ipv6_mreq request{};
  request.ipv6mr_interface = if_nametoindex(interface);
  inet_pton(AF_INET6, "ff02::1:ff00:0", &request.ipv6mr_multiaddr);
  int fd = -1;
  for (const Address6& address : served.v6) {
    std::memcpy(request.ipv6mr_multiaddr.s6_addr + 13, address.data() + 13, 3);
    if (!joined.insert(request.ipv6mr_multiaddr.s6_addr32[3]).second) continue;
    const auto join = [&] { return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) == 0; };
    if (fd >= 0 && join()) continue;
    fd = socket(AF_INET6, SOCK_DGRAM, 0);  // the one before is full
    if (fd < 0 || !join()) Die("IPV6_JOIN_GROUP");
  }
}

void Respond(int fd, const Answer& answer) {
  std::array<uint8_t, kMaxFrame> frame;
  for (;;) {
    sockaddr_ll from{};
    socklen_t from_length = sizeof from;
    const ssize_t length =
        recvfrom(fd, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_length);
    if (length < 0 || from.sll_pkttype == PACKET_OTHERHOST || from.sll_pkttype == PACKET_OUTGOING) continue;
    const size_t answer_length = answer(frame, static_cast<size_t>(length));
    // The requester asks again if this fails.
    if (answer_length > 0) (void)sendto(fd, frame.data(), answer_length, 0, nullptr, 0);
  }
}

int Run(const char* interface, std::span<char*> ranges) {
  const Served served = ParseRanges(ranges);
  const Mac mac = MacOf(interface);
  const bool realtime = RunBeforeOrdinaryThreads();  // threads made from here on inherit it
  const auto start = [](int fd, Answer answer) { std::thread(Respond, fd, std::move(answer)).detach(); };
  if (!served.v4.empty()) {
    start(OpenSocket(interface, ETH_P_ARP), std::bind_front(AnswerArp, std::cref(served), std::cref(mac)));
  }
  if (!served.v6.empty()) {
    JoinGroups(interface, served);
    start(OpenSocket(interface, ETH_P_IPV6), std::bind_front(AnswerNdp, std::cref(served), std::cref(mac)));
  }
  std::printf("{\"realtime\":%s}\n", realtime ? "true" : "false");
  std::fflush(stdout);
  char ignored;
  while (read(STDIN_FILENO, &ignored, 1) > 0) {
  }
  std::_Exit(0);  // while the threads still use what is on this stack
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc < 3) bench::Refuse("usage: one_by_one INTERFACE FIRST+COUNT...");
  return bench::Run(argv[1], {argv + 2, static_cast<size_t>(argc - 2)});
}
