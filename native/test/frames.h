// Bytes and addresses as people write them.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../address.h"

namespace garpoon::test {

// From hex digits; everything else is ignored.
inline std::vector<uint8_t> Hex(std::string_view text) {
  std::vector<uint8_t> bytes;
  int high = -1;
  for (const char character : text) {
    if (!std::isxdigit(static_cast<unsigned char>(character))) continue;
    const int digit = std::stoi(std::string(1, character), nullptr, 16);
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  return bytes;
}

inline std::string ToHex(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

inline std::string ToHex(std::string_view hex) { return ToHex(Hex(hex)); }

inline MacAddress Mac(std::string_view text) {
  MacAddress mac;
  const auto bytes = Hex(text);
  if (bytes.size() != mac.bytes.size()) std::abort();
  std::copy(bytes.begin(), bytes.end(), mac.bytes.begin());
  return mac;
}

inline IpAddress Ip(const char* text) {
  IpAddress address;
  if (inet_pton(AF_INET, text, address.bytes.data()) == 1) return address;
  address.family = Family::kIpv6;
  if (inet_pton(AF_INET6, text, address.bytes.data()) != 1) std::abort();
  return address;
}

// A host (…:0c) and a responder (…:0f), with the frames that the Linux kernel exchanges between two such. Captured.
inline const MacAddress kHostMac = Mac("02000000000c");
inline const MacAddress kOwnMac = Mac("02000000000f");

inline constexpr std::string_view kArpRequestHex =
    "ffffffffffff 02000000000c 0806 0001 0800 06 04 0001 02000000000c c613ff01 000000000000 c6120005";
inline constexpr std::string_view kArpReplyHex =
    "02000000000c 02000000000f 0806 0001 0800 06 04 0002 02000000000f c6120005 02000000000c c613ff01";

inline constexpr std::string_view kSolicitationHex =
    "3333ff000005 02000000000c 86dd 60000000 0020 3a ff"
    "20010db800000000000000000000000c ff0200000000000000000001ff000005"
    "87 00 1c0b 00000000 20010db8000000000000000000000005 0101 02000000000c";
inline constexpr std::string_view kAdvertisementHex =
    "02000000000c 02000000000f 86dd 60000000 0020 3a ff"
    "20010db8000000000000000000000005 20010db800000000000000000000000c"
    "88 00 8a53 60000000 20010db8000000000000000000000005 0201 02000000000f";

// Duplicate address detection, with the nonce option of RFC 7527; asked by …:0f, answered by …:0c.
inline constexpr std::string_view kProbeHex =
    "3333ff00000c 02000000000f 86dd 60000000 0020 3a ff"
    "00000000000000000000000000000000 ff0200000000000000000001ff00000c"
    "87 00 f41f 00000000 20010db800000000000000000000000c 0e01 2c085d7cc129";
inline constexpr std::string_view kProbeAnswerHex =
    "333300000001 02000000000c 86dd 60000000 0020 3a ff"
    "20010db800000000000000000000000c ff020000000000000000000000000001"
    "88 00 f909 20000000 20010db800000000000000000000000c 0201 02000000000c";

}  // namespace garpoon::test
