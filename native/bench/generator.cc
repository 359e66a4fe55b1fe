// generator MODE INTERFACE key=value...: asks for addresses over and over, and counts or times the answers.
//
//   flood    rate=REQUESTS_PER_SECOND (0: as fast as it goes), seconds=S or frames=N
//            prints {"sent", "answered", "seconds"}
//   latency  probes=N, gap=MICROSECONDS between them (varied by half)
//            prints {"probes", "lost", "p50", "p99", "max"} in microseconds, and "background"
//            background=REQUESTS_PER_SECOND of another station meanwhile; their number is printed
//
//   Both     first=ADDRESS (IPv4: ARP, IPv6: Neighbour Solicitation), count=N targets from there on, step=N apart,
//            mac=, address= of the asking station. One request after the other asks for one target after the other.
//
// Answers are counted by the kernel: a socket filter picks those to the station, and PACKET_STATISTICS tells how many
// it has picked, read or not. So counting costs next to nothing, and never fails to keep up; and two generators that
// are different stations do not disturb each other. Latency is the kernel's time stamp of the answer less the time
// before the request was sent, so that a descheduled generator does not count against the responder.

#include <linux/filter.h>
#include <poll.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "packet_program.h"

namespace bench {
namespace {

constexpr size_t kBatch = 64;
constexpr size_t kMaxTargets = 1 << 20;
constexpr int kProbeTimeoutMs = 200;
constexpr int kSettleMs = 200;
constexpr int64_t kOnTheWay = kSecond / 1000;
// At high rates a few frames go out together, as an interface that coalesces its interrupts hands them over.
constexpr int64_t kCoalescing = kSecond / 20'000;

using Frame = std::vector<uint8_t>;
using Options = std::map<std::string, std::string>;

void SleepFor(int64_t nanoseconds) {
  const timespec gap{nanoseconds / kSecond, nanoseconds % kSecond};
  nanosleep(&gap, nullptr);
}

std::string Text(const Options& options, const std::string& key, const std::string& otherwise) {
  const auto found = options.find(key);
  return found == options.end() ? otherwise : found->second;
}

double Number(const Options& options, const std::string& key, double otherwise) {
  const auto found = options.find(key);
  if (found == options.end()) return otherwise;
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  if (found->second.empty() || *end != '\0' || value < 0) Refuse("not a number: " + key + "=" + found->second);
  return value;
}

Mac ParseMac(const std::string& text) {
  Mac mac{};
  if (std::sscanf(text.c_str(), "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                  &mac[5]) != ETH_ALEN) {
    Refuse("not a MAC address: " + text);
  }
  return mac;
}

void Append(Frame& frame, const void* bytes, size_t length) {
  const auto* first = static_cast<const uint8_t*>(bytes);
  frame.insert(frame.end(), first, first + length);
}

void Append(Frame& frame, std::initializer_list<uint8_t> bytes) { frame.insert(frame.end(), bytes); }

Frame ArpRequest(const Mac& mac, const in_addr& from, const in_addr& target) {
  Frame frame;
  Append(frame, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  Append(frame, mac.data(), mac.size());
  Append(frame, {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1});
  Append(frame, mac.data(), mac.size());
  Append(frame, &from, sizeof from);
  Append(frame, {0, 0, 0, 0, 0, 0});
  Append(frame, &target, sizeof target);
  frame.resize(ETH_ZLEN);
  return frame;
}

Frame Solicitation(const Mac& mac, const in6_addr& from, const in6_addr& target) {
  const uint8_t* low = target.s6_addr + 13;
  Frame frame;
  Append(frame, {0x33, 0x33, 0xff, low[0], low[1], low[2]});
  Append(frame, mac.data(), mac.size());
  Append(frame, {0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, IPPROTO_ICMPV6, 255});
  Append(frame, &from, sizeof from);
  Append(frame, {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, low[0], low[1], low[2]});
  const size_t message = frame.size();
  Append(frame, {135, 0, 0, 0, 0, 0, 0, 0});
  Append(frame, &target, sizeof target);
  Append(frame, {1, 1});
  Append(frame, mac.data(), mac.size());
  const uint16_t checksum = Icmpv6Checksum(frame);
  frame[message + 2] = static_cast<uint8_t>(checksum >> 8);
  frame[message + 3] = static_cast<uint8_t>(checksum);
  return frame;
}

struct Requests {
  bool ipv6 = false;
  Mac mac{};  // who asks
  std::vector<Frame> frames;
};

Requests BuildRequests(const Options& options) {
  const std::string first = Text(options, "first", "");
  const auto count = static_cast<uint32_t>(Number(options, "count", 1));
  const auto step = static_cast<uint32_t>(Number(options, "step", 1));
  const Mac mac = ParseMac(Text(options, "mac", "02:00:00:00:00:aa"));
  if (count < 1 || count > kMaxTargets) Refuse("count is out of range");
  Requests requests;
  requests.mac = mac;
  in_addr from4, target4;
  in6_addr from6, target6;
  if (inet_pton(AF_INET, first.c_str(), &target4) == 1) {
    if (inet_pton(AF_INET, Text(options, "address", "198.18.255.254").c_str(), &from4) != 1) Refuse("bad address");
    const uint32_t base = ntohl(target4.s_addr);
    for (uint32_t i = 0; i < count; i++) {
      requests.frames.push_back(ArpRequest(mac, from4, in_addr{htonl(base + i * step)}));
    }
    return requests;
  }
  if (inet_pton(AF_INET6, first.c_str(), &target6) != 1) Refuse("not an address: first=" + first);
  if (inet_pton(AF_INET6, Text(options, "address", "2001:db8::fffe").c_str(), &from6) != 1) Refuse("bad address");
  requests.ipv6 = true;
  const uint32_t base = ntohl(target6.s6_addr32[3]);
  for (uint32_t i = 0; i < count; i++) {
    target6.s6_addr32[3] = htonl(base + i * step);
    requests.frames.push_back(Solicitation(mac, from6, target6));
  }
  return requests;
}

int OpenSocket(const char* interface, uint16_t protocol, const sock_fprog* filter) {
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) Die("socket");
  const int on = 1;
  if (filter != nullptr && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, sizeof *filter) != 0) Die("filter");
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0) Die("PACKET_QDISC_BYPASS");
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) Die("SO_TIMESTAMPNS");
  Bind(fd, interface, protocol);
  return fd;
}

// Receives answers to the station only: ARP replies, or Neighbour Advertisements.
int OpenAnswers(const char* interface, const Requests& requests) {
  uint32_t station;
  std::memcpy(&station, requests.mac.data() + 2, sizeof station);
  station = ntohl(station);
  std::array<sock_filter, 6> arp = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, station, 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 64),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  std::array<sock_filter, 8> ndp = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, station, 0, 5),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 64),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog filter = requests.ipv6 ? sock_fprog{ndp.size(), ndp.data()} : sock_fprog{arp.size(), arp.data()};
  return OpenSocket(interface, requests.ipv6 ? ETH_P_IPV6 : ETH_P_ARP, &filter);
}

uint64_t AnswersSinceLastCall(int fd) {
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) Die("PACKET_STATISTICS");
  return stats.tp_packets;
}

int Flood(const char* interface, const Options& options) {
  const Requests requests = BuildRequests(options);
  const double rate = Number(options, "rate", 0);
  const auto frames = static_cast<uint64_t>(Number(options, "frames", 0));
  const auto duration = static_cast<int64_t>(Number(options, "seconds", 1) * kSecond);
  const int answers = OpenAnswers(interface, requests);
  const int out = OpenSocket(interface, 0, nullptr);
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> batch{};
  for (size_t i = 0; i < kBatch; i++) {
    batch[i].msg_hdr.msg_iov = &parts[i];
    batch[i].msg_hdr.msg_iovlen = 1;
  }
  uint64_t sent = 0;
  uint64_t answered = 0;
  const double per_frame = rate > 0 ? kSecond / rate : 0;
  const int64_t start = Now(CLOCK_MONOTONIC);
  auto next = static_cast<double>(start);  // when the next frame is due
  int64_t now = start;
  for (; frames > 0 ? sent < frames : now - start < duration; now = Now(CLOCK_MONOTONIC)) {
    uint64_t due = kBatch;
    if (rate > 0) {
      // Whoever was descheduled does not make up for it: that would be a burst at another rate.
      next = std::max(next, static_cast<double>(now) - kBatch * per_frame);
      due = next > static_cast<double>(now) ? 0
                                            : static_cast<uint64_t>((static_cast<double>(now) - next) / per_frame) + 1;
      due = std::min<uint64_t>(due, kBatch);
    }
    if (frames > 0) due = std::min(due, frames - sent);
    if (due == 0) {
      SleepFor(kCoalescing + static_cast<int64_t>(std::min(1e6, per_frame)));
      continue;
    }
    for (uint64_t i = 0; i < due; i++) {
      const Frame& frame = requests.frames[(sent + i) % requests.frames.size()];
      parts[i] = {const_cast<uint8_t*>(frame.data()), frame.size()};
    }
    const int done = sendmmsg(out, batch.data(), static_cast<unsigned>(due), 0);
    if (done < 0 && errno != ENOBUFS && errno != EAGAIN) Die("sendmmsg");
    if (done > 0) {
      sent += static_cast<uint64_t>(done);
      next += done * per_frame;
    }
  }
  // What is answered after the end of a bounded run still counts. A timed run is a rate: it counts what came in time,
  // and what was on its way, but not what is still waiting to be dealt with.
  if (frames == 0) SleepFor(kOnTheWay);
  answered += AnswersSinceLastCall(answers);
  for (int quiet = 0; frames > 0 && answered < sent && quiet < kSettleMs; quiet++) {
    SleepFor(kSecond / 1000);
    const uint64_t more = AnswersSinceLastCall(answers);
    answered += more;
    if (more > 0) quiet = 0;
  }
  std::printf("{\"sent\":%lu,\"answered\":%lu,\"seconds\":%.6f}\n", sent, answered,
              static_cast<double>(now - start) / kSecond);
  return 0;
}

// Arrival of an answer in ns since 1970, or -1 when there is none.
int64_t TakeAnswer(int fd) {
  std::array<uint8_t, 64> frame;
  alignas(cmsghdr) std::array<uint8_t, 128> control;
  iovec part{frame.data(), frame.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(fd, &message, MSG_DONTWAIT) < 0) return -1;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SO_TIMESTAMPNS) continue;
    timespec at;
    std::memcpy(&at, CMSG_DATA(each), sizeof at);
    return at.tv_sec * kSecond + at.tv_nsec;
  }
  return -1;
}

// The same, -1 when none came in time.
int64_t AwaitAnswer(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return poll(&waiting, 1, kProbeTimeoutMs) > 0 ? TakeAnswer(fd) : -1;
}

// Requests of another station, a few together, as an interface that coalesces its interrupts hands them over.
class Background {
 public:
  Background(int out, const Options& options) : out_(out), rate_(Number(options, "background", 0)) {
    if (!running()) return;
    Options others = options;
    others["mac"] = "02:00:00:00:00:bb";
    others["address"] = Text(options, "first", "").find(':') == std::string::npos ? "198.18.0.4" : "2001:db8::fffd";
    requests_ = BuildRequests(others);
    for (size_t i = 0; i < kBatch; i++) {
      batch_[i].msg_hdr.msg_iov = &parts_[i];
      batch_[i].msg_hdr.msg_iovlen = 1;
    }
    last_ = Now(CLOCK_MONOTONIC);
  }

  [[nodiscard]] bool running() const { return rate_ > 0; }
  [[nodiscard]] uint64_t sent() const { return sent_; }

  // Sends what is due. What could not be sent in time is not made up for: that would be a burst at another rate.
  void Step() {
    const int64_t elapsed = Now(CLOCK_MONOTONIC) - last_;
    if (elapsed < kCoalescing) return;
    last_ += elapsed;
    due_ += rate_ * static_cast<double>(std::min(elapsed, 2 * kCoalescing)) / kSecond;
    const size_t count = std::min(static_cast<size_t>(due_), kBatch);
    due_ -= static_cast<double>(count);
    for (size_t i = 0; i < count; i++) {
      const Frame& frame = requests_.frames[(sent_ + i) % requests_.frames.size()];
      parts_[i] = {const_cast<uint8_t*>(frame.data()), frame.size()};
    }
    const int done = sendmmsg(out_, batch_.data(), static_cast<unsigned>(count), 0);
    if (done < 0 && errno != ENOBUFS && errno != EAGAIN) Die("sendmmsg");
    if (done > 0) sent_ += static_cast<uint64_t>(done);
  }

 private:
  int out_;
  double rate_;
  Requests requests_;
  std::array<iovec, kBatch> parts_{};
  std::array<mmsghdr, kBatch> batch_{};
  int64_t last_ = 0;
  double due_ = 0;
  uint64_t sent_ = 0;
};

int Latency(const char* interface, const Options& options) {
  const Requests requests = BuildRequests(options);
  const auto probes = static_cast<size_t>(Number(options, "probes", 1000));
  const double gap = Number(options, "gap", 1000) * 1000;
  const int answers = OpenAnswers(interface, requests);
  const int out = OpenSocket(interface, 0, nullptr);
  Background background(out, options);
  std::minstd_rand random(1);
  std::uniform_real_distribution<double> varied(0.5 * gap, 1.5 * gap);
  std::vector<int64_t> latencies;
  // Beside the background it waits by sending that, and so its own sending never waits for another program's.
  const auto wait_until = [&](int64_t end) {
    if (!background.running()) SleepFor(std::max<int64_t>(0, end - Now(CLOCK_MONOTONIC)));
    while (background.running() && Now(CLOCK_MONOTONIC) < end) background.Step();
  };
  for (size_t i = 0; i < probes; i++) {
    wait_until(Now(CLOCK_MONOTONIC) + static_cast<int64_t>(varied(random)));
    // The answer to an earlier probe that was given up must not be taken for the answer to this one.
    std::array<uint8_t, 64> late;
    while (recv(answers, late.data(), late.size(), MSG_DONTWAIT) >= 0) {
    }
    const Frame& frame = requests.frames[i % requests.frames.size()];
    const int64_t before = Now(CLOCK_REALTIME);
    // When the way is full, the probe is lost like one that is not answered.
    if (send(out, frame.data(), frame.size(), 0) < 0 && errno != ENOBUFS) Die("send");
    int64_t arrival = -1;
    const int64_t deadline = Now(CLOCK_MONOTONIC) + kProbeTimeoutMs * (kSecond / 1000);
    while (background.running() && arrival < 0 && Now(CLOCK_MONOTONIC) < deadline) {
      background.Step();
      arrival = TakeAnswer(answers);
    }
    if (!background.running()) arrival = AwaitAnswer(answers);
    if (arrival >= 0) latencies.push_back(arrival - before);
  }
  std::sort(latencies.begin(), latencies.end());
  const auto quantile = [&](double q) {
    if (latencies.empty()) return 0.0;
    return static_cast<double>(latencies[static_cast<size_t>(q * static_cast<double>(latencies.size() - 1))]) / 1000;
  };
  std::printf("{\"probes\":%zu,\"lost\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f,\"background\":%lu}\n", probes,
              probes - latencies.size(), quantile(0.5), quantile(0.99), quantile(1), background.sent());
  return 0;
}

int Run(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  Options options;
  for (int i = 3; i < argc; i++) {
    const std::string argument = argv[i];
    const size_t separator = argument.find('=');
    if (separator == std::string::npos) Refuse("not key=value: " + argument);
    options[argument.substr(0, separator)] = argument.substr(separator + 1);
  }
  // Other programs neither slow a flood down nor come between a probe's time and its sending.
  (void)RunBeforeOrdinaryThreads();
  if (mode == "flood") return Flood(argv[2], options);
  if (mode == "latency") return Latency(argv[2], options);
  Refuse("usage: generator flood|latency INTERFACE key=value...");
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::Run(argc, argv); }
