#include "../answer.h"

#include <linux/if_packet.h>

#include <array>
#include <optional>

#include "check.h"
#include "checksum.h"
#include "frames.h"

namespace garpoon::test {
namespace {

constexpr size_t kArpSender = 28;
constexpr size_t kArpTarget = 38;

// 198.18.0.5, 198.18.0.8 and 2001:db8::5 are announced here, ….6 on another interface, ….9 and 2001:db8::9 are held.
std::unique_ptr<const AddressTable> Table() {
  PackedFault fault;
  return AddressTable::Create({{Ip("198.18.0.5"), 0},
                               {Ip("198.18.0.8"), 0},
                               {Ip("2001:db8::5"), 0},
                               {Ip("198.18.0.6"), 1},
                               {Ip("2001:db8::6"), 1},
                               {Ip("198.18.0.9"), 0, true},
                               {Ip("2001:db8::9"), 0, true}},
                              {InterfaceSet{}, InterfaceSet{"eth9"}}, fault);
}

struct Result {
  DropReason reason;
  std::string answer;  // hex
  std::optional<Claim> claim;
};

Result Answer(std::span<const uint8_t> frame, uint8_t packet_type = PACKET_BROADCAST, bool truncated = false) {
  static const auto table = Table();
  const std::vector<uint8_t> announces = {1, 0};
  const std::vector<MacAddress> own_macs = {Mac("020000000001"), kOwnMac, Mac("02000000001f")};
  const View view{*table, announces, kOwnMac, own_macs};
  if (frame.size() > 13 && frame[12] == 0x86) {
    NdpOutcome outcome;
    const DropReason reason = AnswerNdp({frame, packet_type, truncated}, view, outcome);
    return {reason, outcome.answer ? ToHex(*outcome.answer) : "", outcome.claim};
  }
  ArpOutcome outcome;
  const DropReason reason = AnswerArp({frame, packet_type, truncated}, view, outcome);
  return {reason, outcome.answer ? ToHex(*outcome.answer) : "", outcome.claim};
}

// "198.18.0.5 at 02000000000c", or nothing.
std::string Show(const std::optional<Claim>& claim) {
  return claim ? Format(claim->address) + " at " + ToHex(claim->mac.bytes) : "";
}

void Put(std::vector<uint8_t>& frame, size_t offset, std::string_view hex) {
  const auto bytes = Hex(hex);
  std::copy(bytes.begin(), bytes.end(), frame.begin() + static_cast<ptrdiff_t>(offset));
}

void Put(std::vector<uint8_t>& frame, size_t offset, const IpAddress& address) {
  std::copy_n(address.bytes.begin(), address.size(), frame.begin() + static_cast<ptrdiff_t>(offset));
}

// A broadcast from …:0c.
std::vector<uint8_t> Arp(ArpOperation operation, const char* sender, const char* target) {
  auto frame = Hex(kArpRequestHex);
  frame[21] = static_cast<uint8_t>(operation);
  Put(frame, kArpSender, Ip(sender));
  Put(frame, kArpTarget, Ip(target));
  return frame;
}

// From …:0c, without options. From :: it is duplicate address detection.
std::vector<uint8_t> Solicitation(const char* source, const char* target) {
  auto frame = Hex(kProbeHex);
  Put(frame, 6, "02000000000c");
  Put(frame, 18, "0018");
  Put(frame, 22, Ip(source));
  Put(frame, 62, Ip(target));
  frame.resize(78);
  Rechecksum(frame);
  return frame;
}

// From …:0c to all nodes.
std::vector<uint8_t> Advertisement(const char* target, std::string_view holder) {
  auto frame = Hex(kProbeAnswerHex);
  Put(frame, 22, Ip(target));
  Put(frame, 62, Ip(target));
  Put(frame, 80, holder);
  Rechecksum(frame);
  return frame;
}

constexpr const char* kHost = "198.19.255.1";
constexpr const char* kHost6 = "2001:db8::c";

}  // namespace

TEST("answers for what is announced here, and for nothing else") {
  const struct {
    const char* target;
    DropReason reason;
  } rows[] = {
      {"198.18.0.5", DropReason::kNone},
      {"198.18.0.8", DropReason::kNone},
      {"198.18.0.6", DropReason::kWrongInterface},
      {"198.18.0.7", DropReason::kNotAnnounced},
      {"198.18.0.9", DropReason::kHeld},
      {"2001:db8::5", DropReason::kNone},
      {"2001:db8::6", DropReason::kWrongInterface},
      {"2001:db8::7", DropReason::kNotAnnounced},
      {"2001:db8::9", DropReason::kHeld},
  };
  for (const auto& row : rows) {
    const bool ipv4 = Ip(row.target).family == Family::kIpv4;
    // A probe, or duplicate address detection, is answered as any question is, and claims nothing.
    for (const char* source : {ipv4 ? kHost : kHost6, ipv4 ? "0.0.0.0" : "::"}) {
      const Result result =
          Answer(ipv4 ? Arp(ArpOperation::kRequest, source, row.target) : Solicitation(source, row.target));
      EXPECT_EQ(result.reason, row.reason, row.target);
      EXPECT_EQ(!result.answer.empty(), row.reason == DropReason::kNone, row.target);
      EXPECT_EQ(Show(result.claim), "", row.target);
    }
  }
}

TEST("the answer is the kernel's") {
  EXPECT_EQ(Answer(Hex(kArpRequestHex)).answer.substr(0, 84), ToHex(kArpReplyHex));
  EXPECT_EQ(Answer(Hex(kSolicitationHex)).answer, ToHex(kAdvertisementHex));
}

TEST("duplicate address detection is answered to all nodes") {
  EXPECT_EQ(Answer(Solicitation("::", "2001:db8::5")).answer.substr(0, 12), "333300000001");
}

TEST("a sender that has our address claims it, in whatever kind of ARP message") {
  const auto request = ArpOperation::kRequest;
  const auto reply = ArpOperation::kReply;
  const struct {
    ArpOperation operation;
    const char* sender;
    const char* target;
    DropReason reason;
    const char* claim;
    bool answered;
  } rows[] = {
      {request, "198.18.0.5", "198.18.0.5", DropReason::kForeignClaim, "198.18.0.5 at 02000000000c", false},
      {reply, "198.18.0.5", "198.18.0.5", DropReason::kForeignClaim, "198.18.0.5 at 02000000000c", false},
      {reply, "198.18.0.5", kHost, DropReason::kForeignClaim, "198.18.0.5 at 02000000000c", false},
      {reply, "198.18.0.5", "0.0.0.0", DropReason::kForeignClaim, "198.18.0.5 at 02000000000c", false},
      {request, "198.18.0.5", "198.18.0.7", DropReason::kForeignClaim, "198.18.0.5 at 02000000000c", false},
      {request, "198.18.0.5", "198.18.0.9", DropReason::kForeignClaim, "198.18.0.5 at 02000000000c", false},
      // It may ask for another of ours, and gets its answer.
      {request, "198.18.0.5", "198.18.0.8", DropReason::kForeignClaim, "198.18.0.5 at 02000000000c", true},
      // Held ones are watched.
      {request, "198.18.0.9", "198.18.0.9", DropReason::kForeignClaim, "198.18.0.9 at 02000000000c", false},
      {reply, "198.18.0.9", "0.0.0.0", DropReason::kForeignClaim, "198.18.0.9 at 02000000000c", false},
      {request, "198.18.0.9", "198.18.0.5", DropReason::kForeignClaim, "198.18.0.9 at 02000000000c", true},
      // What is ours elsewhere is not claimed here.
      {request, "198.18.0.6", "198.18.0.6", DropReason::kWrongInterface, "", false},
      {reply, "198.18.0.6", "198.18.0.6", DropReason::kWrongInterface, "", false},
      {request, "198.18.0.6", "198.18.0.7", DropReason::kWrongInterface, "", false},
      {request, "198.18.0.6", "198.18.0.5", DropReason::kNone, "", true},
      // What is not ours is none of our business.
      {request, "198.18.0.7", "198.18.0.7", DropReason::kNotAnnounced, "", false},
      {reply, "198.18.0.7", "198.18.0.7", DropReason::kNotRequest, "", false},
      {reply, kHost, "198.18.0.5", DropReason::kNotRequest, "", false},
      {reply, "0.0.0.0", "198.18.0.5", DropReason::kNotRequest, "", false},
      {request, "0.0.0.0", "0.0.0.0", DropReason::kNotAnnounced, "", false},
  };
  for (const auto& row : rows) {
    const std::string label = std::string(row.sender) + " to " + row.target;
    const Result result = Answer(Arp(row.operation, row.sender, row.target));
    EXPECT_EQ(result.reason, row.reason, label);
    EXPECT_EQ(Show(result.claim), row.claim, label);
    EXPECT_EQ(!result.answer.empty(), row.answered, label);
  }
}

TEST("the ARP sender is who claims, not the Ethernet source") {
  auto frame = Arp(ArpOperation::kReply, "198.18.0.5", kHost);
  Put(frame, 6, "0200000000ee");
  EXPECT_EQ(Show(Answer(frame).claim), "198.18.0.5 at 02000000000c");
}

TEST("an advertisement of our address claims it, and so does a solicitation from it") {
  const struct {
    std::vector<uint8_t> frame;
    DropReason reason;
    const char* claim;
  } rows[] = {
      {Advertisement("2001:db8::5", "02000000000c"), DropReason::kForeignClaim, "2001:db8::5 at 02000000000c"},
      {Advertisement("2001:db8::5", "0200000000ee"), DropReason::kForeignClaim, "2001:db8::5 at 0200000000ee"},
      {Advertisement("2001:db8::9", "02000000000c"), DropReason::kForeignClaim, "2001:db8::9 at 02000000000c"},
      {Advertisement("2001:db8::6", "02000000000c"), DropReason::kWrongInterface, ""},
      {Advertisement("2001:db8::7", "02000000000c"), DropReason::kNotRequest, ""},
      {Solicitation("2001:db8::5", "2001:db8::5"), DropReason::kForeignClaim, "2001:db8::5 at 02000000000c"},
      {Solicitation("2001:db8::9", "2001:db8::9"), DropReason::kForeignClaim, "2001:db8::9 at 02000000000c"},
      {Solicitation("2001:db8::6", "2001:db8::6"), DropReason::kWrongInterface, ""},
      {Solicitation("2001:db8::7", "2001:db8::7"), DropReason::kNotAnnounced, ""},
  };
  for (const auto& row : rows) {
    const Result result = Answer(row.frame, PACKET_MULTICAST);
    EXPECT_EQ(result.reason, row.reason, row.claim);
    EXPECT_EQ(Show(result.claim), row.claim);
    EXPECT_EQ(result.answer, "", row.claim);
  }
}

TEST("the answer to a probe of ours is a claim") {
  ArpMessage probe;
  EXPECT_EQ(ParseArp(BuildArpProbe(Ip("198.18.0.9"), kOwnMac), probe), DropReason::kNone);
  EXPECT_EQ(Show(Answer(BuildArpReply(probe, kHostMac), PACKET_HOST).claim), "198.18.0.9 at 02000000000c");
  NdpMessage detection;
  EXPECT_EQ(ParseNdp(BuildDadSolicitation(Ip("2001:db8::9"), kOwnMac), detection), DropReason::kNone);
  EXPECT_EQ(Show(Answer(BuildNeighborAdvertisement(detection, kHostMac), PACKET_MULTICAST).claim),
            "2001:db8::9 at 02000000000c");
}

TEST("our own frames claim nothing, whichever interface they went out of and came in on") {
  const IpAddress ipv4 = Ip("198.18.0.5");
  const IpAddress ipv6 = Ip("2001:db8::5");
  for (const MacAddress& own : {kOwnMac, Mac("020000000001"), Mac("02000000001f")}) {
    const std::vector<std::vector<uint8_t>> frames = [&] {
      std::vector<std::vector<uint8_t>> all;
      const auto add = [&all](const auto& frame) { all.emplace_back(frame.begin(), frame.end()); };
      add(BuildGratuitousArp(ArpOperation::kRequest, ipv4, own));
      add(BuildGratuitousArp(ArpOperation::kReply, ipv4, own));
      add(BuildUnicastArp(ipv4, own, kOwnMac, Ip(kHost)));
      add(BuildUnsolicitedAdvertisement(ipv6, own));
      add(BuildUnicastAdvertisement(ipv6, own, kOwnMac, Ip(kHost6)));
      return all;
    }();
    for (const auto& frame : frames) {
      const Result result = Answer(frame);
      EXPECT_EQ(result.reason, DropReason::kOwnSender, ToHex(own.bytes));
      EXPECT_EQ(Show(result.claim), "");
      EXPECT_EQ(result.answer, "");
    }
    // Neither does a frame that passes on what we said, or that we pass on.
    auto relayed = frames[1];
    Put(relayed, 6, "02000000000c");
    EXPECT_EQ(Answer(relayed).reason, DropReason::kOwnSender);
    EXPECT_EQ(Answer(Advertisement("2001:db8::5", ToHex(own.bytes))).reason, DropReason::kOwnSender);
    auto passed_on = Arp(ArpOperation::kReply, "198.18.0.5", kHost);
    Put(passed_on, 6, ToHex(own.bytes));
    EXPECT_EQ(Answer(passed_on).reason, DropReason::kOwnSender);
  }
}

TEST("what comes back from this interface's own MAC address is no question") {
  auto from_us = Hex(kArpRequestHex);
  Put(from_us, 6, "02000000000f");
  auto asked_by_us = Hex(kArpRequestHex);
  Put(asked_by_us, 22, "02000000000f");
  auto solicited_by_us = Hex(kSolicitationHex);
  Put(solicited_by_us, 6, "02000000000f");
  for (const auto& frame : {from_us, asked_by_us, solicited_by_us}) {
    EXPECT_EQ(Answer(frame).reason, DropReason::kOwnSender);
    EXPECT_EQ(Answer(frame).answer, "");
  }
  EXPECT_EQ(Answer(BuildArpProbe(Ip("198.18.0.9"), kOwnMac)).reason, DropReason::kOwnSender);
  EXPECT_EQ(Answer(BuildDadSolicitation(Ip("2001:db8::9"), kOwnMac)).reason, DropReason::kOwnSender);
}

TEST("a claim from a MAC address one bit from ours is another host's") {
  for (size_t bit = 0; bit < 48; bit++) {
    auto frame = Arp(ArpOperation::kRequest, "198.18.0.5", "198.18.0.5");
    MacAddress mac = kOwnMac;
    mac.bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    Put(frame, 6, ToHex(mac.bytes));
    Put(frame, 22, ToHex(mac.bytes));
    const bool ours = mac == Mac("02000000001f");
    const auto expected = mac.IsMulticast() ? DropReason::kBadSender
                          : ours            ? DropReason::kOwnSender
                                            : DropReason::kForeignClaim;
    EXPECT_EQ(Answer(frame).reason, expected, ToHex(mac.bytes));
  }
}

TEST("a frame for another host, of a foreign VLAN or cut off is neither answered nor a claim") {
  const struct {
    uint8_t packet_type;
    bool truncated;
    DropReason reason;
  } rows[] = {
      {PACKET_OTHERHOST, false, DropReason::kOtherHost},
      {PACKET_OUTGOING, false, DropReason::kOtherHost},
      {PACKET_BROADCAST, true, DropReason::kTooLong},
  };
  for (const auto& frame : {Hex(kArpRequestHex), Arp(ArpOperation::kReply, "198.18.0.5", kHost), Hex(kSolicitationHex),
                            Advertisement("2001:db8::5", "02000000000c")}) {
    for (const auto& row : rows) {
      const Result result = Answer(frame, row.packet_type, row.truncated);
      EXPECT_EQ(result.reason, row.reason);
      EXPECT_EQ(result.answer, "");
      EXPECT_EQ(Show(result.claim), "");
    }
    for (const uint8_t ours : std::array<uint8_t, 3>{PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST}) {
      const DropReason reason = Answer(frame, ours).reason;
      EXPECT(reason == DropReason::kNone || reason == DropReason::kForeignClaim);
    }
  }
}

TEST("a frame to a MAC address that is not this interface's is for another host") {
  const struct {
    const char* destination;
    DropReason arp;
    DropReason ndp;
  } rows[] = {
      {"02000000000f", DropReason::kNone, DropReason::kNone},
      {"02000000000e", DropReason::kOtherHost, DropReason::kOtherHost},
      {"02000000001f", DropReason::kOtherHost, DropReason::kOtherHost},  // this machine's, but another interface's
      {"01005e000001", DropReason::kOtherHost, DropReason::kNone},
      {"ffffffffffff", DropReason::kNone, DropReason::kNone},
  };
  for (const auto& row : rows) {
    auto arp = Hex(kArpRequestHex);
    Put(arp, 0, row.destination);
    EXPECT_EQ(Answer(arp).reason, row.arp, row.destination);
    auto ndp = Hex(kSolicitationHex);
    Put(ndp, 0, row.destination);
    EXPECT_EQ(Answer(ndp).reason, row.ndp, row.destination);
  }
}

TEST("a question from another interface of this machine is answered as any other host's is") {
  auto frame = Hex(kArpRequestHex);
  Put(frame, 6, "02000000001f");
  Put(frame, 22, "02000000001f");
  EXPECT_EQ(Answer(frame).reason, DropReason::kNone);
}

TEST("an answer names the announcement that it is for, and nothing else does") {
  static const auto table = Table();
  const std::vector<uint8_t> announces = {1, 0};
  const View view{*table, announces, kOwnMac, {}};
  ArpOutcome arp;
  EXPECT_EQ(AnswerArp({Hex(kArpRequestHex), PACKET_BROADCAST, false}, view, arp), DropReason::kNone);
  EXPECT(arp.answered == table->Find(Ip("198.18.0.5")));
  NdpOutcome ndp;
  EXPECT_EQ(AnswerNdp({Hex(kSolicitationHex), PACKET_MULTICAST, false}, view, ndp), DropReason::kNone);
  EXPECT(ndp.answered == table->Find(Ip("2001:db8::5")));
  for (const char* target : {"198.18.0.6", "198.18.0.9", "198.18.0.77"}) {
    ArpOutcome none;
    EXPECT(AnswerArp({Arp(ArpOperation::kRequest, "198.19.255.1", target), PACKET_BROADCAST, false}, view, none) !=
           DropReason::kNone);
    EXPECT(none.answered == nullptr);
  }
}

TEST("whoever says that he has an address claims it, whatever the table says") {
  const auto to_us = [](std::vector<uint8_t> frame) {
    Put(frame, 0, "02000000000f");
    return frame;
  };
  const auto from_us = [](std::vector<uint8_t> frame) {
    Put(frame, 6, "02000000000f");
    Put(frame, 22, "02000000000f");
    return frame;
  };
  auto own_advertisement = Hex(kAdvertisementHex);
  auto advertisement = own_advertisement;
  Put(advertisement, 0, "02000000000f 02000000000c");
  Put(advertisement, 80, "02000000000c");
  Rechecksum(advertisement);
  auto elsewhere = advertisement;
  elsewhere[5] = 0x77;
  const auto reply = Arp(ArpOperation::kReply, "192.0.2.7", "198.18.0.1");
  const struct {
    const char* what;
    std::vector<uint8_t> frame;
    uint8_t packet_type;
    const char* claim;
  } rows[] = {
      {"an ARP reply", reply, PACKET_BROADCAST, "192.0.2.7 at 02000000000c"},
      {"an ARP reply to us", to_us(reply), PACKET_HOST, "192.0.2.7 at 02000000000c"},
      {"an ARP request for another address", Arp(ArpOperation::kRequest, "192.0.2.7", "192.0.2.8"), PACKET_BROADCAST,
       "192.0.2.7 at 02000000000c"},
      {"an ARP announcement", Arp(ArpOperation::kRequest, "192.0.2.7", "192.0.2.7"), PACKET_BROADCAST,
       "192.0.2.7 at 02000000000c"},
      {"an ARP probe", Arp(ArpOperation::kRequest, "0.0.0.0", "192.0.2.7"), PACKET_BROADCAST, ""},
      {"our own ARP reply", from_us(reply), PACKET_BROADCAST, ""},
      {"an ARP reply that was sent to another host", reply, PACKET_OTHERHOST, ""},
      {"an ARP reply, cut off", {reply.begin(), reply.begin() + 41}, PACKET_BROADCAST, ""},
      {"an advertisement", advertisement, PACKET_HOST, "2001:db8::5 at 02000000000c"},
      {"our own advertisement", own_advertisement, PACKET_HOST, ""},
      {"an advertisement to another MAC address", elsewhere, PACKET_HOST, ""},
      {"a solicitation", Hex(kSolicitationHex), PACKET_MULTICAST, ""},
  };
  for (const auto& row : rows) {
    const Protocol protocol = row.frame[12] == 0x86 ? Protocol::kNdp : Protocol::kArp;
    EXPECT_EQ(Show(ReadClaim(protocol, {row.frame, row.packet_type, false}, kOwnMac)), row.claim, row.what);
    EXPECT_EQ(Show(ReadClaim(protocol, {row.frame, row.packet_type, true}, kOwnMac)), "", row.what);
  }
}

}  // namespace garpoon::test
