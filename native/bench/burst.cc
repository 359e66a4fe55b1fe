// burst INTERFACE FIRST COUNT: announces COUNT IPv4 addresses the simple way, with one sendto() per frame.
//
// For each address an ARP request and then a reply that nobody asked for (RFC 5227 section 3), as the responder
// announces. Prints {"frames", "cpu"}, where `cpu` is the nanoseconds of processor time that one frame has taken.

#include "packet_program.h"

namespace bench {
namespace {

constexpr uint32_t kMaxAddresses = 1 << 20;

enum class Form : uint8_t { kRequest = 1, kReply = 2 };

std::array<uint8_t, ETH_ZLEN> Announcement(const Mac& mac, in_addr address, Form form) {
  static constexpr uint8_t kHeader[] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0};
  std::array<uint8_t, ETH_ZLEN> frame{};
  std::memset(frame.data(), 0xff, ETH_ALEN);
  std::memcpy(frame.data() + 6, mac.data(), mac.size());
  std::memcpy(frame.data() + 12, kHeader, sizeof kHeader);
  frame[21] = static_cast<uint8_t>(form);
  std::memcpy(frame.data() + 22, mac.data(), mac.size());
  std::memcpy(frame.data() + 28, &address, sizeof address);
  if (form == Form::kReply) std::memset(frame.data() + 32, 0xff, ETH_ALEN);
  std::memcpy(frame.data() + 38, &address, sizeof address);
  return frame;
}

int Burst(const char* interface, const char* first, uint32_t count) {
  in_addr address;
  if (inet_pton(AF_INET, first, &address) != 1 || count == 0) Refuse("nothing to announce");
  const uint32_t base = ntohl(address.s_addr);
  const Mac mac = MacOf(interface);
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) Die("socket");
  Bind(fd, interface, 0);
  (void)RunBeforeOrdinaryThreads();
  const int64_t before = Now(CLOCK_THREAD_CPUTIME_ID);
  for (uint32_t i = 0; i < count; i++) {
    for (const Form form : {Form::kRequest, Form::kReply}) {
      const auto frame = Announcement(mac, in_addr{htonl(base + i)}, form);
      if (sendto(fd, frame.data(), frame.size(), 0, nullptr, 0) < 0) Die("sendto");
    }
  }
  const int64_t used = Now(CLOCK_THREAD_CPUTIME_ID) - before;
  std::printf("{\"frames\":%u,\"cpu\":%.1f}\n", 2 * count, static_cast<double>(used) / (2.0 * count));
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc != 4) bench::Refuse("usage: burst INTERFACE FIRST COUNT");
  return bench::Burst(argv[1], argv[2], bench::ParseCount(argv[3], bench::kMaxAddresses));
}
