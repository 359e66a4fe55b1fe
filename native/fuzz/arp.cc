// Any frame: no read outside of it, and no answer to anyone who must not get one.
#include "../arp.h"

#include <linux/if_packet.h>

#include "../answer.h"
#include "fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  static const fuzz::Fixture fixture;
  const ReceivedFrame frame{{data, size}, PACKET_BROADCAST, false};
  ArpFrame answer;
  if (AnswerArp(frame, fixture.view(), answer) != DropReason::kNone) return 0;
  const std::span<const uint8_t> out = answer;
  fuzz::Require((out[0] & 1) == 0);                                                   // to one host
  fuzz::Require(std::ranges::equal(out.subspan(6, 6), fixture.mac().bytes));          // from our MAC address
  fuzz::Require(out[21] == 2);                                                        // a reply
  fuzz::Require(std::ranges::equal(out.subspan(28, 4), frame.bytes.subspan(38, 4)));  // about what was asked for
  return 0;
}
