// Which questions about addresses are open, and which of the answers are told. Pure: time is a parameter, in
// nanoseconds on CLOCK_MONOTONIC.
//
// Anyone on the LAN may answer, as often as he likes and in any name, so everything is bounded: the questions, and the
// answers to each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "address.h"
#include "nanoseconds.h"
#include "socket_filter.h"

namespace garpoon {

class Inquiry {
 public:
  static constexpr size_t kMaxQuestions = 128;  // open at the same time
  static constexpr size_t kMaxAnswers = 4;      // told of one question
  static constexpr Nanoseconds kLifetime = 1000 * kMillisecond;

  // So many questions a second at most, and `burst` at once after a pause. Both at least 1.
  Inquiry(uint32_t per_second, uint32_t burst) : per_question_(1'000'000'000 / per_second), burst_(burst) {}

  // Opens a question, or opens it anew. False when there are too many.
  [[nodiscard]] bool Open(const IpAddress& address, Nanoseconds now);
  // The question is asked on this interface; answers that are heard on others do not count.
  void AskedOn(const IpAddress& address, int interface_index);

  // Whether to tell that `mac` says that it has the address.
  [[nodiscard]] bool Hear(const IpAddress& address, const MacAddress& mac, int interface_index, Nanoseconds now);

  // Forgets the questions whose time is over.
  void Expire(Nanoseconds now);
  // When Expire() will have something to do, kNever when no question is open.
  [[nodiscard]] Nanoseconds Deadline() const;

  // The open questions of the protocol that were asked on the interface, ascending by bytes.
  [[nodiscard]] std::vector<IpAddress> AddressesOn(int interface_index, Protocol protocol) const;

 private:
  struct Answer {
    MacAddress mac;
    int interface_index;
    bool operator==(const Answer&) const = default;
  };
  struct Question {
    Nanoseconds until = 0;
    std::vector<int> interfaces;
    std::vector<Answer> told;
  };

  const Nanoseconds per_question_;
  const uint32_t burst_;
  std::unordered_map<IpAddress, Question> questions_;
  // The pace as a virtual clock: every question moves it on, and it may run ahead of time by `burst` of them.
  Nanoseconds paced_until_ = 0;
};

}  // namespace garpoon
