// Builds rtnetlink messages as the kernel does.
#pragma once

#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace garpoon::test {

using Bytes = std::vector<uint8_t>;

template <typename T>
Bytes Raw(const T& value) {
  Bytes bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline Bytes Concat(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
    all.resize((all.size() + 3) & ~size_t{3});
  }
  return all;
}

inline Bytes Attribute(uint16_t type, const Bytes& value) {
  const rtattr header{static_cast<unsigned short>(sizeof(rtattr) + value.size()), type};
  return Concat({Concat({Raw(header)}), value});
}

inline Bytes Attribute(uint16_t type, std::string_view text) {
  Bytes value(text.begin(), text.end());
  value.push_back(0);
  return Attribute(type, value);
}

inline Bytes Message(uint16_t type, const Bytes& body, uint16_t flags = 0, uint32_t sequence = 0) {
  const nlmsghdr header{static_cast<uint32_t>(sizeof(nlmsghdr) + body.size()), type, flags, sequence, 0};
  return Concat({Raw(header), body});
}

inline Bytes LinkInfo(int index, uint32_t flags, unsigned char family = AF_UNSPEC, uint16_t hardware = ARPHRD_ETHER) {
  ifinfomsg info{};
  info.ifi_family = family;
  info.ifi_type = hardware;
  info.ifi_index = index;
  info.ifi_flags = flags;
  return Raw(info);
}

}  // namespace garpoon::test
