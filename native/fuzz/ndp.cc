// Any frame: no read outside of it, no answer to anyone who must not get one, and no claim that nobody made. Built with
// checksums switched off.
#include "../ndp.h"

#include <linux/if_packet.h>

#include "../answer.h"
#include "fixture.h"

namespace garpoon::fuzz {
namespace {

void CheckAnswer(const Fixture& fixture, std::span<const uint8_t> in, std::span<const uint8_t> out) {
  const auto source = in.subspan(22, 16);
  const bool unspecified = std::ranges::all_of(source, [](uint8_t byte) { return byte == 0; });
  Require(in[54] == 135);
  Require(((out[0] & 1) != 0) == unspecified);                           // to one host, if it has an address
  Require(std::ranges::equal(out.subspan(6, 6), fixture.mac().bytes));   // from our MAC address
  Require(std::ranges::equal(out.subspan(62, 16), in.subspan(62, 16)));  // about what was asked for
  Require(out[77] == 5);                                                 // which is not held
  Require(out[58] == (unspecified ? 0x20 : 0x60));                       // solicited only if it has one
}

void CheckClaim(const Fixture& fixture, std::span<const uint8_t> in, const Claim& claim) {
  fixture.RequireForeign(claim);
  Require(std::ranges::equal(in.subspan(62, 16), claim.address.bytes));
  Require(in[54] == 136 || std::ranges::equal(in.subspan(22, 16), claim.address.bytes));
  Require(std::search(in.begin(), in.end(), claim.mac.bytes.begin(), claim.mac.bytes.end()) != in.end());
}

}  // namespace
}  // namespace garpoon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  static const fuzz::Fixture fixture;
  const ReceivedFrame frame{{data, size}, PACKET_MULTICAST, false};
  NdpOutcome outcome;
  const DropReason reason = AnswerNdp(frame, fixture.view(), outcome);
  fuzz::RequireConsistent(reason, outcome);
  if (outcome.answer) fuzz::CheckAnswer(fixture, frame.bytes, *outcome.answer);
  if (outcome.claim) fuzz::CheckClaim(fixture, frame.bytes, *outcome.claim);
  // Every claim to an address of ours is one to an address.
  const auto claim = ReadClaim(Protocol::kNdp, frame, fixture.mac());
  if (outcome.claim)
    fuzz::Require(claim && claim->address == outcome.claim->address && claim->mac == outcome.claim->mac);
  if (claim) fuzz::Require(claim->mac != fixture.mac() && !claim->mac.IsMulticast() && !claim->mac.IsZero());
  return 0;
}
