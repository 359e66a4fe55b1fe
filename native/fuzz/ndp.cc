// Any frame: no read outside of it, and no answer to anyone who must not get one. Built with checksums switched off.
#include "../ndp.h"

#include <linux/if_packet.h>

#include "../answer.h"
#include "fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  static const fuzz::Fixture fixture;
  const ReceivedFrame frame{{data, size}, PACKET_MULTICAST, false};
  NdpFrame answer;
  if (AnswerNdp(frame, fixture.view(), answer) != DropReason::kNone) return 0;
  const std::span<const uint8_t> out = answer;
  const auto source = frame.bytes.subspan(22, 16);
  const bool unspecified = std::ranges::all_of(source, [](uint8_t byte) { return byte == 0; });
  fuzz::Require(((out[0] & 1) != 0) == unspecified);                          // to one host, if it has an address
  fuzz::Require(std::ranges::equal(out.subspan(6, 6), fixture.mac().bytes));  // from our MAC address
  fuzz::Require(std::ranges::equal(out.subspan(62, 16), frame.bytes.subspan(62, 16)));  // about what was asked for
  fuzz::Require(out[58] == (unspecified ? 0x20 : 0x60));                                // solicited only if it has one
  return 0;
}
