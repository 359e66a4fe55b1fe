// Any message: no read outside of it, and nothing taken that RFC 4861 section 6.1 refuses. The first 17 bytes are the
// source and the hop limit.
#include "../router_message.h"

#include "../socket_address.h"
#include "fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  if (size < 17) return 0;
  IpAddress source{Family::kIpv6, {}};
  std::copy_n(data, 16, source.bytes.begin());
  const uint8_t hop_limit = data[16];
  // A copy of its own, so that a read past its end is seen.
  const std::vector<uint8_t> in(data + 17, data + size);
  RouterMessage message;
  if (ParseRouterMessage(in, source, hop_limit, message) != DropReason::kNone) return 0;
  fuzz::Require(hop_limit == 255 && in.size() >= 8 && in[1] == 0);
  fuzz::Require(static_cast<uint8_t>(message.type) == in[0]);
  if (message.type == RouterMessageType::kSolicitation) return 0;
  fuzz::Require(in.size() >= 16 && IsLinkLocal(source));
  fuzz::Require(message.lifetime == (in[6] << 8 | in[7]));
  return 0;
}
