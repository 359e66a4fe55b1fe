// The ICMPv6 checksum of a frame that a test has changed, independently of the code under test.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace garpoon::test {

inline constexpr size_t kIcmp = 54;

inline void Rechecksum(std::vector<uint8_t>& frame) {
  frame[kIcmp + 2] = frame[kIcmp + 3] = 0;
  const size_t length = std::min<size_t>(static_cast<size_t>(frame[18]) << 8 | frame[19], frame.size() - kIcmp);
  std::vector<uint8_t> covered(frame.begin() + 22, frame.begin() + 54);
  covered.insert(covered.end(), {0, 0, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length), 0, 0, 0, 58});
  covered.insert(covered.end(), frame.begin() + kIcmp, frame.begin() + kIcmp + static_cast<ptrdiff_t>(length));
  if (covered.size() % 2 == 1) covered.push_back(0);
  uint32_t sum = 0;
  for (size_t i = 0; i < covered.size(); i += 2) sum += static_cast<uint32_t>(covered[i] << 8 | covered[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  frame[kIcmp + 2] = static_cast<uint8_t>(~sum >> 8);
  frame[kIcmp + 3] = static_cast<uint8_t>(~sum);
}

}  // namespace garpoon::test
