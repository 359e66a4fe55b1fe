// packet_io INTERFACE: a test's hands and eyes on a network interface.
//
// Writes every frame the interface receives to stdout and sends every frame read from stdin; ends when stdin does.
//   stdin   u32 length, frame
//   stdout  u32 length, u8 packet type (PACKET_HOST, PACKET_OTHERHOST, ...), u64 arrival in ns since 1970, frame
// Numbers are little-endian. The first record on stdout has length 0: from then on nothing is missed. A VLAN tag that
// the kernel has taken off is put back, so that a frame reads as it was on the wire.

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <span>
#include <vector>

namespace {

constexpr size_t kMaxFrame = 65536;
constexpr size_t kMacPair = 2 * ETH_ALEN;
constexpr int kReceiveBuffer = 16 << 20;
constexpr int kFramesPerTurn = 256;

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "packet_io: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

int OpenSocket(const char* interface) {
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) Die("socket");
  const int on = 1;
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0) Die("PACKET_IGNORE_OUTGOING");
  if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) != 0) Die("PACKET_AUXDATA");
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) Die("SO_TIMESTAMPNS");
  // Best effort: a user namespace may not force it.
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (address.sll_ifindex == 0) Die(interface);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die("bind");
  return fd;
}

void WriteRecord(std::span<const uint8_t> frame, uint8_t packet_type, uint64_t arrival) {
  const auto length = static_cast<uint32_t>(frame.size());
  if (std::fwrite(&length, sizeof length, 1, stdout) != 1 || std::fwrite(&packet_type, 1, 1, stdout) != 1 ||
      std::fwrite(&arrival, sizeof arrival, 1, stdout) != 1 ||
      std::fwrite(frame.data(), 1, frame.size(), stdout) != frame.size()) {
    Die("write");
  }
}

struct Ancillary {
  uint64_t arrival = 0;
  const tpacket_auxdata* packet = nullptr;
};

Ancillary ReadAncillary(msghdr& message) {
  Ancillary result;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level == SOL_PACKET && each->cmsg_type == PACKET_AUXDATA) {
      result.packet = reinterpret_cast<const tpacket_auxdata*>(CMSG_DATA(each));
    }
    if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SO_TIMESTAMPNS) {
      timespec at;
      std::memcpy(&at, CMSG_DATA(each), sizeof at);
      result.arrival = static_cast<uint64_t>(at.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(at.tv_nsec);
    }
  }
  return result;
}

// False when nothing is waiting.
bool ReceiveOne(int fd) {
  static std::array<uint8_t, kMaxFrame> frame;
  alignas(cmsghdr) std::array<uint8_t, 256> control;
  sockaddr_ll from{};
  // Room is left behind the addresses for a tag that must be put back.
  iovec parts[2] = {{frame.data(), kMacPair}, {frame.data() + kMacPair + 4, frame.size() - kMacPair - 4}};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
  // ENETDOWN is reported once when the interface goes down; the socket works again after it came up.
  if (length < 0) return false;
  const Ancillary ancillary = ReadAncillary(message);
  const tpacket_auxdata* packet = ancillary.packet;
  const bool tagged = packet != nullptr && (packet->tp_status & TP_STATUS_VLAN_VALID) != 0;
  const size_t rest = static_cast<size_t>(length) - kMacPair;
  if (tagged) {
    const bool has_protocol = (packet->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    const uint16_t protocol = htons(has_protocol ? packet->tp_vlan_tpid : ETH_P_8021Q);
    const uint16_t control_information = htons(packet->tp_vlan_tci);
    std::memcpy(frame.data() + kMacPair, &protocol, 2);
    std::memcpy(frame.data() + kMacPair + 2, &control_information, 2);
  } else {
    std::memmove(frame.data() + kMacPair, frame.data() + kMacPair + 4, rest);
  }
  WriteRecord({frame.data(), kMacPair + rest + (tagged ? 4 : 0)}, from.sll_pkttype, ancillary.arrival);
  return true;
}

// Sends every whole frame in `pending` and leaves the rest there.
void SendPending(int fd, std::vector<uint8_t>& pending) {
  size_t at = 0;
  uint32_t length = 0;
  while (pending.size() - at >= sizeof length) {
    std::memcpy(&length, pending.data() + at, sizeof length);
    if (length > kMaxFrame) {
      errno = EMSGSIZE;
      Die("stdin");
    }
    if (pending.size() - at - sizeof length < length) break;
    if (send(fd, pending.data() + at + sizeof length, length, 0) < 0) {
      std::fprintf(stderr, "packet_io: send %u bytes: %s\n", length, std::strerror(errno));
    }
    at += sizeof length + length;
  }
  pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(at));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: packet_io INTERFACE\n", stderr);
    return 2;
  }
  const int fd = OpenSocket(argv[1]);
  WriteRecord({}, 0, 0);
  std::vector<uint8_t> pending;
  std::array<uint8_t, kMaxFrame> input;
  for (;;) {
    if (std::fflush(stdout) != 0) Die("write");
    pollfd waiting[2] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) Die("poll");
    if (waiting[1].revents != 0) {
      const ssize_t length = read(STDIN_FILENO, input.data(), input.size());
      if (length <= 0) return 0;
      pending.insert(pending.end(), input.begin(), input.begin() + length);
      SendPending(fd, pending);
    }
    for (int i = 0; i < kFramesPerTurn && ReceiveOne(fd); i++) {
    }
  }
}
