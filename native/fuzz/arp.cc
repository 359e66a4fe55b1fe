// Any frame: no read outside of it, no answer to anyone who must not get one, and no claim that nobody made.
#include "../arp.h"

#include <linux/if_packet.h>

#include "../answer.h"
#include "fixture.h"

namespace garpoon::fuzz {
namespace {

void CheckAnswer(const Fixture& fixture, std::span<const uint8_t> in, std::span<const uint8_t> out) {
  Require((out[0] & 1) == 0);                                           // to one host
  Require(std::ranges::equal(out.subspan(6, 6), fixture.mac().bytes));  // from our MAC address
  Require(out[21] == 2 && in[21] == 1);                                 // a reply, to a request
  Require(std::ranges::equal(out.subspan(28, 4), in.subspan(38, 4)));   // about what was asked for
  Require(out[31] == 5);                                                // which is not held
  Require(!std::ranges::equal(in.subspan(28, 4), in.subspan(38, 4)));   // and not claimed in the same breath
}

void CheckClaim(const Fixture& fixture, std::span<const uint8_t> in, const Claim& claim) {
  fixture.RequireForeign(claim);
  Require(std::ranges::equal(in.subspan(22, 6), claim.mac.bytes));
  Require(std::ranges::equal(in.subspan(28, 4), std::span(claim.address.bytes).first(4)));
}

}  // namespace
}  // namespace garpoon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  static const fuzz::Fixture fixture;
  const ReceivedFrame frame{{data, size}, PACKET_BROADCAST, false};
  ArpOutcome outcome;
  const DropReason reason = AnswerArp(frame, fixture.view(), outcome);
  fuzz::RequireConsistent(reason, outcome);
  if (outcome.answer) fuzz::CheckAnswer(fixture, frame.bytes, *outcome.answer);
  if (outcome.claim) fuzz::CheckClaim(fixture, frame.bytes, *outcome.claim);
  // Every claim to an address of ours is one to an address.
  const auto claim = ReadClaim(Protocol::kArp, frame, fixture.mac());
  if (outcome.claim)
    fuzz::Require(claim && claim->address == outcome.claim->address && claim->mac == outcome.claim->mac);
  if (claim) fuzz::Require(claim->mac != fixture.mac() && !claim->mac.IsMulticast() && !claim->mac.IsZero());
  return 0;
}
