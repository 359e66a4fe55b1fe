#include "address.h"

#include <arpa/inet.h>

namespace garpoon {

std::string Format(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = address.family == Family::kIpv4 ? AF_INET : AF_INET6;
  inet_ntop(family, address.bytes.data(), text, sizeof text);
  return text;
}

}  // namespace garpoon
