// The echo function of the table's sessions, RFC 5880 section 6.4 and RFC 5881 section 4.
//
// What a peer sends to itself comes back by this system's forwarding, which is no matter of ours but for one thing: the
// peer is told that it may only where this system does forward. What a peer addresses to us (as FRR did before it sent
// to itself) no forwarding would return, so that is done here.
#include <algorithm>

#include "bfd_entry.h"

namespace garpoon {
namespace {

constexpr Nanoseconds kLookInterval = 1'000 * kMillisecond;
// It has left the peer with 255 at least once, and the peer's forwarding takes one away. Some take none.
constexpr uint8_t kLeastTtl = kBfdEchoTtl - 1;
constexpr size_t kLongestReturned = 128;
constexpr Nanoseconds kReturnBurst = 16;

}  // namespace

BfdEchoDrop BfdTable::ReceiveEcho(std::span<const uint8_t> datagram, int interface_index, Nanoseconds now) {
  BfdEchoReception echo;
  BfdEchoDrop drop = ParseBfdEcho(datagram, echo);
  if (drop == BfdEchoDrop::kNone && by_peer_.contains(echo.source)) drop = BfdEchoDrop::kNotOurs;
  const auto found =
      drop == BfdEchoDrop::kNone ? by_discriminator_.find(echo.stamp.discriminator) : by_discriminator_.end();
  if (found == by_discriminator_.end()) {
    if (drop == BfdEchoDrop::kNone) drop = BfdEchoDrop::kUnknownDiscriminator;
    unclaimed_->Add(drop);
    return drop;
  }
  Entry& entry = *found->second;
  const BfdEchoPath& path = entry.echo_path;
  if (echo.destination != path.local || interface_index != path.interface_index) {
    drop = BfdEchoDrop::kWrongPath;
  } else if (echo.ttl < kLeastTtl) {
    drop = BfdEchoDrop::kTtlTooLow;
  } else if (!IsGenuine(echo, echo_key_)) {
    drop = BfdEchoDrop::kWrongTag;
  } else {
    drop = entry.session.ReceiveEcho(echo.stamp.sequence, now);
  }
  if (drop != BfdEchoDrop::kNone) {
    entry.report->Add(drop);
    return drop;
  }
  entry.report->Add(BfdField::kEchoReceived);
  Observe(entry);
  Advance(entry, now);
  return drop;
}

BfdEchoDrop BfdTable::ReturnEcho(const BfdDatagram& datagram, Nanoseconds now) {
  const auto [first, last] = by_peer_.equal_range(datagram.source);
  const auto found = std::find_if(first, last, [&datagram](const auto& each) {
    const Entry& entry = *each.second;
    return entry.settings.parameters.echo_interval != 0 && entry.echo_path.local == datagram.destination &&
           entry.echo_path.interface_index == datagram.interface_index;
  });
  if (found == last) {
    unclaimed_->Add(BfdEchoDrop::kUnknownPeer);
    return BfdEchoDrop::kUnknownPeer;
  }
  Entry& entry = *found->second;
  const Nanoseconds interval = entry.settings.parameters.echo_interval * kMicrosecond / 2;
  const Nanoseconds allowance = std::max(entry.echo_allowance, now) + interval;
  BfdEchoDrop drop = BfdEchoDrop::kNone;
  if (datagram.ttl != kBfdEchoTtl) {
    drop = BfdEchoDrop::kTtlTooLow;  // and what we have returned ourselves goes round no second time
  } else if (datagram.payload.size() > kLongestReturned) {
    drop = BfdEchoDrop::kTooLong;
  } else if (entry.session.state() != BfdState::kUp || !entry.session.echo_offered()) {
    drop = BfdEchoDrop::kInactive;
  } else if (allowance > now + kReturnBurst * interval) {
    drop = BfdEchoDrop::kTooFast;
  }
  if (drop != BfdEchoDrop::kNone) {
    entry.report->Add(drop);
    return drop;
  }
  entry.echo_allowance = allowance;
  const bool sent = environment_.ReturnEcho(datagram);
  entry.report->Add(sent ? BfdField::kEchoReturned : BfdField::kEchoSendFailures);
  return drop;
}

// A control packet says by which address and interface the peer is reached.
void BfdTable::LearnEchoPath(Entry& entry, const BfdDatagram& datagram, Nanoseconds now) {
  if (entry.settings.parameters.echo_interval == 0) return;
  const BfdEchoPath path{datagram.destination, datagram.source, datagram.interface_index};
  if (path == entry.echo_path && now < entry.echo_look_at) return;
  entry.echo_path = path;
  entry.echo_look_at = now + kLookInterval;
  entry.session.OfferEcho(environment_.ReturnsEchoes(path));
}

void BfdTable::TransmitEcho(Entry& entry, Nanoseconds now) {
  const auto sequence = entry.session.Echo(now);
  if (!sequence) return;
  const uint32_t discriminator = entry.session.discriminator();
  std::array<uint8_t, kBfdEchoSize> datagram;
  MarshalBfdEcho(entry.echo_path.local, {discriminator, *sequence}, echo_key_, datagram);
  const bool sent = environment_.SendEcho(discriminator, entry.echo_path, datagram);
  entry.report->Add(sent ? BfdField::kEchoSent : BfdField::kEchoSendFailures);
}

void BfdTable::JudgeEcho(Entry& entry, Nanoseconds now) {
  BfdSession& session = entry.session;
  if (session.EchoDetectAt() > now) return;
  const Nanoseconds patience = entry.settings.parameters.detect_multiplier * session.EchoInterval();
  if (WasLate(patience / 2, now) && session.ExcuseEcho(now)) {
    entry.report->Add(BfdField::kExcused);
    return;
  }
  session.ExpireEcho(now);
}

void BfdTable::ObserveEcho(const Entry& entry) {
  const BfdSession& session = entry.session;
  entry.report->Set(BfdField::kEchoState, static_cast<uint64_t>(session.echo_state()));
  entry.report->Set(BfdField::kEchoInterval, session.EchoInterval());
  entry.report->Set(BfdField::kEchoOffered, session.echo_offered() ? 1 : 0);
}

}  // namespace garpoon
