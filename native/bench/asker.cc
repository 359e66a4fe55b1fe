// asker RATE PORT ADDRESS...: a client that asks every address RATE times a second, and tells what became of each
// request.
//
// Ordinary UDP from one ordinary socket: the kernel's neighbour cache decides where a request goes, as it does for any
// client. Whoever has the port sends a datagram back as it is. Prints "asking" when the first request is about to go
// out, and then a line for each request, when it is answered:
//   index of its address, microseconds since 1970 when it was sent and when it was answered (0: never)
// Ends when stdin does, after waiting a moment for answers on the way; those that never were come last.
// These come of the monotonic clock, to which the time of day was added once. It runs in real time if it may, so that
// a gap between two answers is none of its own; where it was late all the same, the times when it sent show it.

#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "packet_program.h"

namespace bench {
namespace {

constexpr uint32_t kMaxRate = 10'000;
constexpr int kReceiveBuffer = 4 << 20;
constexpr int64_t kSettle = kSecond / 2;
constexpr int64_t kFlushInterval = kSecond / 20;

struct Request {
  size_t target;
  int64_t sent;
  int64_t answered;  // 0: not yet
};

// What travels there and back. The run tells our answers from those to an asker before us.
struct Payload {
  uint64_t run;
  uint64_t number;
};

class Asker {
 public:
  Asker(std::vector<sockaddr_in> targets, uint32_t rate)
      : targets_(std::move(targets)),
        interval_(kSecond / (static_cast<int64_t>(rate) * static_cast<int64_t>(targets_.size()))),
        epoch_(Now(CLOCK_REALTIME) - Now(CLOCK_MONOTONIC)),
        run_(static_cast<uint64_t>(Now(CLOCK_REALTIME))),
        fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    if (fd_ < 0) Die("socket");
    (void)setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  }

  // Until stdin ends, and then until the last answers have had time to arrive.
  void Run() {
    int64_t due = Now(CLOCK_MONOTONIC);
    int64_t flush = due;
    int64_t end = INT64_MAX;
    for (;;) {
      const int64_t now = Now(CLOCK_MONOTONIC);
      if (now >= end) break;
      // Whatever is overdue goes out at once: no request is left out.
      for (; due <= now && end == INT64_MAX; due += interval_) Ask();
      Receive();
      if (flush <= now) {
        std::fflush(stdout);
        flush = now + kFlushInterval;
      }
      if (WaitUntil(end == INT64_MAX ? due : end, end == INT64_MAX)) end = Now(CLOCK_MONOTONIC) + kSettle;
    }
    for (const Request& each : requests_) {
      if (each.answered == 0) Print(each);
    }
    std::fflush(stdout);
  }

 private:
  void Ask() {
    const size_t target = requests_.size() % targets_.size();
    const Payload payload{run_, requests_.size()};
    requests_.push_back({target, Now(CLOCK_MONOTONIC), 0});
    // A request that the kernel refuses to send is one without an answer.
    (void)sendto(fd_, &payload, sizeof payload, 0, reinterpret_cast<const sockaddr*>(&targets_[target]),
                 sizeof targets_[target]);
  }

  void Receive() {
    Payload payload;
    sockaddr_in from{};
    for (;;) {
      socklen_t length = sizeof from;
      const ssize_t size = recvfrom(fd_, &payload, sizeof payload, 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (size < 0) return;
      if (size != sizeof payload || payload.run != run_ || payload.number >= requests_.size()) continue;
      Request& request = requests_[payload.number];
      if (from.sin_addr.s_addr != targets_[request.target].sin_addr.s_addr || request.answered != 0) continue;
      request.answered = Now(CLOCK_MONOTONIC);
      Print(request);
    }
  }

  void Print(const Request& request) const {
    const auto microseconds = [&](int64_t at) { return static_cast<long long>((at + epoch_) / 1000); };
    std::printf("%zu %lld %lld\n", request.target, microseconds(request.sent),
                request.answered == 0 ? 0 : microseconds(request.answered));
  }

  // True when stdin has ended.
  bool WaitUntil(int64_t until, bool with_stdin) const {
    pollfd waiting[2] = {{fd_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    const int64_t left = std::max<int64_t>(0, until - Now(CLOCK_MONOTONIC));
    const timespec timeout{left / kSecond, left % kSecond};
    if (ppoll(waiting, with_stdin ? 2 : 1, &timeout, nullptr) <= 0) return false;
    char ignored[64];
    return with_stdin && waiting[1].revents != 0 && read(STDIN_FILENO, ignored, sizeof ignored) == 0;
  }

  const std::vector<sockaddr_in> targets_;
  const int64_t interval_;
  const int64_t epoch_;  // from the monotonic clock to the time of day
  const uint64_t run_;
  const int fd_;
  std::vector<Request> requests_;
};

int Main(std::span<char*> arguments) {
  if (arguments.size() < 4) Refuse("usage: asker RATE PORT ADDRESS...");
  const uint32_t rate = ParseCount(arguments[1], kMaxRate);
  const uint32_t port = ParseCount(arguments[2], UINT16_MAX);
  if (rate == 0) Refuse("a rate of 0");
  std::vector<sockaddr_in> targets;
  for (const char* argument : arguments.subspan(3)) {
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(static_cast<uint16_t>(port));
    if (inet_pton(AF_INET, argument, &target.sin_addr) != 1) Refuse(std::string("not an IPv4 address: ") + argument);
    targets.push_back(target);
  }
  (void)RunBeforeOrdinaryThreads();
  AllowLateReader();
  Asker asker(std::move(targets), rate);
  std::puts("asking");
  std::fflush(stdout);
  asker.Run();
  return 0;
}

}  // namespace
}  // namespace bench

int main(int count, char** arguments) { return bench::Main({arguments, static_cast<size_t>(count)}); }
