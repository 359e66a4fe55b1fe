// Any course of a session: packets, changes and the passing of time, as the input says. It always has a next turn that
// moves time on, and sends only what a peer would take.
#include "../bfd_session.h"

#include "../wire.h"
#include "fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  WireReader in({data, size});
  Nanoseconds now = 1'000'000 * kMillisecond;
  const auto parameters = [&in] {
    const uint8_t flags = in.U8();
    return BfdParameters{std::max<uint32_t>(1, in.U32()),
                         std::max<uint32_t>(1, in.U32()),
                         std::max<uint8_t>(1, in.U8()),
                         (flags & 1) != 0,
                         (flags & 2) != 0,
                         (flags & 4) != 0 ? in.U32() : 0};
  };
  BfdSession session(parameters(), {}, {1, 1, 1}, now);
  uint64_t echoed = 0;
  while (in.ok() && in.remaining() > 0) {
    switch (in.U8() % 7) {
      case 0: {
        BfdReception reception;
        const auto payload = in.Take(std::min<size_t>(in.remaining(), kBfdMandatorySize));
        if (ParseBfd(payload, reception) == BfdDrop::kNone) (void)session.Receive(reception, now);
        break;
      }
      case 1:
        session.Change(parameters(), now);
        break;
      case 2:
        session.Hold((in.U8() & 1) != 0, now);
        break;
      case 3:
        if (in.U8() == 0) (void)session.SwitchOff(now);
        break;
      case 4:
        now += in.U32() * kMicrosecond;
        break;
      case 5:
        session.OfferEcho((in.U8() & 1) != 0);
        break;
      case 6:
        (void)session.ReceiveEcho(in.U8() % 2 == 0 ? echoed : in.U8(), now);
        break;
    }
    // Its turns, as the table gives them.
    for (int turn = 0; turn < 4; turn++) {
      const Nanoseconds deadline = session.Deadline();
      if (deadline == kNever) break;
      now = std::max(now, deadline);
      session.Expire(now);
      if (session.EchoDetectAt() > now || !session.ExcuseEcho(now)) session.ExpireEcho(now);
      std::array<uint8_t, kBfdLongestPacket> bytes;
      const size_t length = session.Send(now, bytes);
      BfdReception sent;
      if (length > 0) fuzz::Require(ParseBfd(std::span(bytes).first(length), sent) == BfdDrop::kNone);
      fuzz::Require(!sent.packet.poll || !sent.packet.final);
      echoed = session.Echo(now).value_or(echoed);
      fuzz::Require(session.echo_state() == BfdEchoState::kOff || session.state() == BfdState::kUp);
      fuzz::Require(session.Deadline() > now);
    }
  }
  return 0;
}
