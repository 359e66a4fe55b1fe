// Any datagram to the port of echo packets: no read outside of it, and what is genuine is what this system has written.
#include "../bfd_echo_packet.h"

#include "fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  constexpr SipHashKey kKey = {1, 2};
  BfdEchoReception echo;
  if (ParseBfdEcho({data, size}, echo) != BfdEchoDrop::kNone) return 0;
  std::array<uint8_t, kBfdEchoSize> again;
  MarshalBfdEcho(echo.destination, echo.stamp, kKey, again);
  fuzz::Require(std::ranges::equal(std::span(again).subspan(40), std::span(data, size).subspan(40, 8)) ==
                IsGenuine(echo, kKey));
  BfdEchoReception reception;
  fuzz::Require(ParseBfdEcho(again, reception) == BfdEchoDrop::kNone && reception.stamp == echo.stamp);
  fuzz::Require(IsGenuine(reception, kKey));
  return 0;
}
