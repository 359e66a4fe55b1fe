#include "address.h"

#include <arpa/inet.h>

namespace garpoon {

std::string Format(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = address.family == Family::kIpv4 ? AF_INET : AF_INET6;
  inet_ntop(family, address.bytes.data(), text, sizeof text);
  return text;
}

std::string Format(const MacAddress& mac) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : mac.bytes) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace garpoon
