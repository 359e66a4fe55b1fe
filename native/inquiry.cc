#include "inquiry.h"

#include <algorithm>

namespace garpoon {

bool Inquiry::Open(const IpAddress& address, Nanoseconds now) {
  Expire(now);
  if (questions_.size() >= kMaxQuestions && !questions_.contains(address)) return false;
  const Nanoseconds next = std::max(paced_until_, now) + per_question_;
  if (next > now + burst_ * per_question_) return false;
  paced_until_ = next;
  questions_[address] = {now + kLifetime, {}, {}};
  return true;
}

void Inquiry::AskedOn(const IpAddress& address, int interface_index) {
  const auto found = questions_.find(address);
  if (found != questions_.end()) found->second.interfaces.push_back(interface_index);
}

bool Inquiry::Hear(const IpAddress& address, const MacAddress& mac, int interface_index, Nanoseconds now) {
  const auto found = questions_.find(address);
  if (found == questions_.end() || found->second.until <= now) return false;
  auto& [until, interfaces, told] = found->second;
  const Answer answer{mac, interface_index};
  const bool asked = std::ranges::find(interfaces, interface_index) != interfaces.end();
  const bool known = std::ranges::find(told, answer) != told.end();
  if (!asked || known || told.size() == kMaxAnswers) return false;
  told.push_back(answer);
  return true;
}

void Inquiry::Expire(Nanoseconds now) {
  std::erase_if(questions_, [now](const auto& entry) { return entry.second.until <= now; });
}

Nanoseconds Inquiry::Deadline() const {
  Nanoseconds earliest = kNever;
  for (const auto& [address, question] : questions_) earliest = std::min(earliest, question.until);
  return earliest;
}

std::vector<IpAddress> Inquiry::AddressesOn(int interface_index, Protocol protocol) const {
  const Family family = protocol == Protocol::kArp ? Family::kIpv4 : Family::kIpv6;
  std::vector<IpAddress> addresses;
  for (const auto& [address, question] : questions_) {
    const bool asked = std::ranges::find(question.interfaces, interface_index) != question.interfaces.end();
    if (asked && address.family == family) addresses.push_back(address);
  }
  std::ranges::sort(addresses, {}, &IpAddress::bytes);
  return addresses;
}

}  // namespace garpoon
