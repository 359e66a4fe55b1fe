#include "../ndp.h"

#include "check.h"
#include "checksum.h"
#include "frames.h"

namespace garpoon::test {
namespace {

struct Row {
  const char* what;
  size_t offset;
  const char* hex;  // in place of what is at `offset`
  DropReason reason;
};

DropReason ParseChanged(std::string_view original, const Row& row, bool rechecksum) {
  auto frame = Hex(original);
  const auto change = Hex(row.hex);
  std::copy(change.begin(), change.end(), frame.begin() + static_cast<ptrdiff_t>(row.offset));
  if (rechecksum) Rechecksum(frame);
  NdpMessage message;
  return ParseNdp(frame, message);
}

// A message with other options, and with its length and checksum right.
DropReason ParseWithOptions(std::string_view original, std::string_view options, NdpMessage& out) {
  auto frame = Hex(original);
  frame.resize(kIcmp + 24);
  const auto more = Hex(options);
  frame.insert(frame.end(), more.begin(), more.end());
  frame[19] = static_cast<uint8_t>(24 + more.size());
  Rechecksum(frame);
  return ParseNdp(frame, out);
}

}  // namespace

TEST("the answer to a solicitation is the kernel's") {
  NdpMessage solicitation;
  EXPECT_EQ(ParseNdp(Hex(kSolicitationHex), solicitation), DropReason::kNone);
  EXPECT_EQ(ToHex(BuildNeighborAdvertisement(solicitation, kOwnMac)), ToHex(kAdvertisementHex));
}

TEST("the answer to duplicate address detection is the kernel's") {
  NdpMessage solicitation;
  EXPECT_EQ(ParseNdp(Hex(kProbeHex), solicitation), DropReason::kNone);
  EXPECT_EQ(ToHex(BuildNeighborAdvertisement(solicitation, kHostMac)), ToHex(kProbeAnswerHex));
}

TEST("an advertisement is read as a solicitation is") {
  NdpMessage advertisement;
  EXPECT_EQ(ParseNdp(Hex(kAdvertisementHex), advertisement), DropReason::kNone);
  EXPECT(advertisement.type == NdpType::kAdvertisement);
  EXPECT(advertisement.destination_mac == kHostMac && advertisement.source_mac == kOwnMac);
  EXPECT(advertisement.source == Ip("2001:db8::5") && advertisement.target == Ip("2001:db8::5"));
}

TEST("the kernel's duplicate address detection and ours are the same frame") {
  // Captured, with the nonce switched off.
  EXPECT_EQ(ToHex(BuildDadSolicitation(Ip("2001:db8::5"), kOwnMac)),
            ToHex("3333ff000005 02000000000f 86dd 60000000 0018 3a ff"
                  "00000000000000000000000000000000 ff0200000000000000000001ff000005"
                  "87 00 4ce5 00000000 20010db8000000000000000000000005"));
}

TEST("the kernel's solicitation and ours are the same frame") {
  EXPECT_EQ(ToHex(BuildNeighborSolicitation(Ip("2001:db8::5"), kHostMac, Ip("2001:db8::c"))), ToHex(kSolicitationHex));
}

TEST("duplicate address detection asks the group of the whole suffix") {
  const auto frame = BuildDadSolicitation(Ip("2001:db8::ffee:ddcc:bbaa"), kOwnMac);
  EXPECT_EQ(ToHex(frame).substr(0, 12), "3333ffccbbaa");
  EXPECT_EQ(ToHex(frame).substr(2 * 38, 32), "ff0200000000000000000001ffccbbaa");
}

TEST("what is built is valid, whatever the address") {
  for (unsigned n = 0; n < 256; n++) {
    IpAddress address = Ip("2001:db8::");
    for (size_t i = 4; i < 16; i++) address.bytes[i] = static_cast<uint8_t>(n * (2 * i + 1));
    const MacAddress mac{{2, static_cast<uint8_t>(n), 0xff, static_cast<uint8_t>(~n), 0, 1}};
    NdpMessage probe, advertisement;
    EXPECT_EQ(ParseNdp(BuildDadSolicitation(address, mac), probe), DropReason::kNone);
    EXPECT(probe.target == address && probe.source.IsUnspecified() && probe.sender_mac == mac);
    EXPECT_EQ(ParseNdp(BuildUnicastAdvertisement(address, mac, kHostMac, Ip("2001:db8::c")), advertisement),
              DropReason::kNone);
    EXPECT(advertisement.target == address && advertisement.sender_mac == mac);
    EXPECT(advertisement.destination_mac == kHostMac);
  }
}

TEST("an unasked advertisement to one neighbour overrides and is not solicited") {
  EXPECT_EQ(ToHex(BuildUnicastAdvertisement(Ip("2001:db8::5"), kOwnMac, kHostMac, Ip("2001:db8::c"))),
            ToHex("02000000000c 02000000000f 86dd 60000000 0020 3a ff"
                  "20010db8000000000000000000000005 20010db800000000000000000000000c"
                  "88 00 ca53 20000000 20010db8000000000000000000000005 0201 02000000000f"));
}

TEST("an unsolicited advertisement is to all nodes and overrides") {
  EXPECT_EQ(ToHex(BuildUnsolicitedAdvertisement(Ip("2001:db8::c"), kHostMac)), ToHex(kProbeAnswerHex));
}

TEST("every way a solicitation can be wrong has its reason") {
  const Row rows[] = {
      {"ether type", 12, "0800", DropReason::kMalformed},
      {"version", 14, "40", DropReason::kMalformed},
      {"extension header", 20, "00", DropReason::kMalformed},
      {"hop limit", 21, "fe", DropReason::kBadHopLimit},
      {"from a group", 6, "03000000000c", DropReason::kBadSender},
      {"from nobody", 6, "000000000000", DropReason::kBadSender},
      {"router solicitation", 54, "85", DropReason::kNotRequest},
      {"redirect", 54, "89", DropReason::kNotRequest},
      {"code", 55, "01", DropReason::kMalformed},
      {"target is a group", 62, "ff02", DropReason::kBadTarget},
      {"source is a group", 22, "ff02", DropReason::kBadSource},
      {"payload beyond the frame", 18, "0021", DropReason::kTooShort},
      {"payload below a solicitation", 18, "0017", DropReason::kTooShort},
  };
  for (const auto& row : rows) EXPECT_EQ(ParseChanged(kSolicitationHex, row, true), row.reason, row.what);
}

TEST("every way an advertisement can be wrong has its reason") {
  const Row rows[] = {
      {"version", 14, "40", DropReason::kMalformed},
      {"hop limit", 21, "fe", DropReason::kBadHopLimit},
      {"from a group", 6, "03000000000f", DropReason::kBadSender},
      {"code", 55, "01", DropReason::kMalformed},
      {"target is a group", 62, "ff02", DropReason::kBadTarget},
      {"source is a group", 22, "ff02", DropReason::kBadSource},
      {"solicited by a group", 38, "ff020000000000000000000000000001", DropReason::kMalformed},
      {"holder is a group", 80, "0300", DropReason::kBadSender},
      {"holder is nobody", 80, "000000000000", DropReason::kBadSender},
      {"payload below an advertisement", 18, "0017", DropReason::kTooShort},
  };
  for (const auto& row : rows) EXPECT_EQ(ParseChanged(kAdvertisementHex, row, true), row.reason, row.what);
  // Not solicited, it may go to a group.
  EXPECT_EQ(ParseChanged(kProbeAnswerHex, {"", 58, "20", {}}, true), DropReason::kNone);
}

TEST("a message with any bit changed that the checksum covers is refused") {
  for (const std::string_view hex : {kSolicitationHex, kAdvertisementHex, kProbeHex}) {
    const auto frame = Hex(hex);
    for (size_t bit = 22 * 8; bit < frame.size() * 8; bit++) {
      auto changed = frame;
      changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      NdpMessage message;
      EXPECT_EQ(ParseNdp(changed, message), DropReason::kBadChecksum);
    }
  }
}

TEST("a host without an address asks the solicited-node group, and states no link-layer address") {
  const Row rows[] = {
      {"to all nodes", 38, "ff020000000000000000000000000001", DropReason::kBadSource},
      {"to the target", 38, "20010db800000000000000000000000c", DropReason::kBadSource},
  };
  for (const auto& row : rows) EXPECT_EQ(ParseChanged(kProbeHex, row, true), row.reason, row.what);
  NdpMessage message;
  EXPECT_EQ(ParseWithOptions(kProbeHex, "0101 02000000000f", message), DropReason::kBadOption);
  EXPECT_EQ(ParseWithOptions(kProbeHex, "", message), DropReason::kNone);
}

TEST("options are walked within bounds") {
  const struct {
    const char* options;
    DropReason reason;
  } rows[] = {
      {"", DropReason::kNone},  // metallb#2920: neighbour unreachability detection may state none
      {"0101 02000000000c 0e01 000000000000", DropReason::kNone},
      {"ee02 000000000000 0000000000000000", DropReason::kNone},
      {"0100 02000000000c", DropReason::kBadOption},
      {"0102 02000000000c", DropReason::kBadOption},
      {"0101 02000000000c 01", DropReason::kBadOption},
      {"01ff", DropReason::kBadOption},
  };
  for (const std::string_view original : {kSolicitationHex, kAdvertisementHex}) {
    NdpMessage message;
    for (const auto& row : rows) EXPECT_EQ(ParseWithOptions(original, row.options, message), row.reason, row.options);
  }
}

TEST("an advertisement's holder is whom its option states, or who sent it") {
  const struct {
    const char* options;
    const char* holder;
  } rows[] = {
      {"", "02000000000f"},
      {"0101 0200000000ee", "02000000000f"},  // a source link-layer address says nothing about the target
      {"0201 0200000000ee", "0200000000ee"},
      {"0e01 000000000000 0201 0200000000ee", "0200000000ee"},
      {"0201 0200000000ee 0201 0200000000dd", "0200000000ee"},
  };
  for (const auto& row : rows) {
    NdpMessage message;
    EXPECT_EQ(ParseWithOptions(kAdvertisementHex, row.options, message), DropReason::kNone, row.options);
    EXPECT_EQ(ToHex(message.sender_mac.bytes), row.holder, row.options);
  }
  NdpMessage message;
  EXPECT_EQ(ParseWithOptions(kAdvertisementHex, "0202 0200000000ee 0000000000000000", message), DropReason::kBadOption);
}

TEST("padding after the payload is ignored") {
  auto frame = Hex(kSolicitationHex);
  frame.resize(frame.size() + 7, 0xee);
  NdpMessage message;
  EXPECT_EQ(ParseNdp(frame, message), DropReason::kNone);
}

TEST("a message cut off anywhere is too short") {
  for (const std::string_view hex : {kSolicitationHex, kAdvertisementHex}) {
    const auto frame = Hex(hex);
    for (size_t length = 0; length < frame.size(); length++) {
      NdpMessage message;
      const std::vector<uint8_t> cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(length));
      EXPECT_EQ(ParseNdp(cut, message), DropReason::kTooShort);
    }
  }
}

}  // namespace garpoon::test
