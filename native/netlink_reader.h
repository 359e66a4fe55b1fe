// The messages in a netlink datagram, and the attributes in a message. Pure. A length that does not fit what is there
// ends the walk: no byte outside of the datagram is read.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace garpoon::netlink {

using Bytes = std::span<const uint8_t>;

constexpr uint16_t kAttributeTypeMask = 0x3fff;  // NLA_TYPE_MASK: without the nested and byte-order bits

// A struct off the front, wherever that is aligned.
template <typename T>
[[nodiscard]] std::optional<T> Front(Bytes bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// What follows the first `length` bytes and their padding.
[[nodiscard]] inline Bytes After(Bytes bytes, size_t length) {
  const size_t padded = (length + 3) & ~size_t{3};
  return bytes.subspan(std::min(padded, bytes.size()));
}

// Calls `visit(header, body)`.
template <typename Visit>
void ForEachMessage(Bytes rest, Visit visit) {
  while (const auto header = Front<nlmsghdr>(rest)) {
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > rest.size()) return;
    visit(*header, rest.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr)));
    rest = After(rest, header->nlmsg_len);
  }
}

// Calls `visit(type, value)`.
template <typename Visit>
void ForEachAttribute(Bytes rest, Visit visit) {
  while (const auto header = Front<rtattr>(rest)) {
    if (header->rta_len < sizeof(rtattr) || header->rta_len > rest.size()) return;
    visit(header->rta_type & kAttributeTypeMask, rest.subspan(sizeof(rtattr), header->rta_len - sizeof(rtattr)));
    rest = After(rest, header->rta_len);
  }
}

// The errno that an NLMSG_ERROR or NLMSG_DONE carries; 0 for success.
[[nodiscard]] inline int ErrorOf(Bytes body) {
  constexpr int kMaxErrno = 4095;
  const int error = Front<int>(body).value_or(0);
  return error < 0 ? -std::max(error, -kMaxErrno) : 0;
}

}  // namespace garpoon::netlink
