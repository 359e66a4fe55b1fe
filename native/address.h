// The values everything else speaks in: Ethernet and IP addresses, in network byte order.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

namespace garpoon {

struct MacAddress {
  std::array<uint8_t, 6> bytes{};

  bool operator==(const MacAddress&) const = default;
  // The group bit: broadcast is multicast too.
  [[nodiscard]] bool IsMulticast() const { return (bytes[0] & 1) != 0; }
  [[nodiscard]] bool IsZero() const { return *this == MacAddress{}; }
};

inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
inline constexpr MacAddress kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}};  // of ff02::1, RFC 2464 section 7

enum class Family : uint8_t { kIpv4 = 4, kIpv6 = 6 };

// An IPv4 address is in the first 4 bytes and the rest is zero, so that equal addresses have equal bytes.
struct IpAddress {
  Family family = Family::kIpv4;
  std::array<uint8_t, 16> bytes{};

  bool operator==(const IpAddress&) const = default;

  [[nodiscard]] size_t size() const { return family == Family::kIpv4 ? 4 : 16; }

  [[nodiscard]] bool IsUnspecified() const {
    return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
  }

  [[nodiscard]] bool IsMulticast() const {
    return family == Family::kIpv4 ? (bytes[0] & 0xf0) == 0xe0 : bytes[0] == 0xff;
  }

  // The 24 bits that choose the solicited-node group ff02::1:ffXX:XXXX, RFC 4291 section 2.7.1. IPv6 only.
  [[nodiscard]] uint32_t SolicitedNodeSuffix() const {
    return uint32_t{bytes[13]} << 16 | uint32_t{bytes[14]} << 8 | bytes[15];
  }

  [[nodiscard]] uint64_t Hash() const {
    uint64_t high, low;
    std::memcpy(&high, bytes.data(), 8);
    std::memcpy(&low, bytes.data() + 8, 8);
    // The finalizer of MurmurHash3 over both halves: neighbouring addresses must not make one long cluster.
    uint64_t mixed = high * 0x9e3779b97f4a7c15ULL ^ (low + static_cast<uint64_t>(family));
    mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccdULL;
    mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return mixed ^ (mixed >> 33);
  }
};

inline constexpr IpAddress kAllNodes{Family::kIpv6, {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

// For messages that people read.
[[nodiscard]] std::string Format(const IpAddress& address);
[[nodiscard]] std::string Format(const MacAddress& mac);

}  // namespace garpoon

// Not noexcept: for libstdc++ that is the sign to keep the hashes, and not to compute them again at every look-up.
template <>
struct std::hash<garpoon::IpAddress> {
  size_t operator()(const garpoon::IpAddress& address) const { return address.Hash(); }
};
