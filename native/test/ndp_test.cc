#include "../ndp.h"

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

constexpr size_t kIcmp = 54;

// Sets the checksum right again after a change, independently of the code under test.
void Rechecksum(std::vector<uint8_t>& frame) {
  frame[kIcmp + 2] = frame[kIcmp + 3] = 0;
  const size_t length = std::min<size_t>(static_cast<size_t>(frame[18]) << 8 | frame[19], frame.size() - kIcmp);
  std::vector<uint8_t> covered(frame.begin() + 22, frame.begin() + 54);
  covered.insert(covered.end(), {0, 0, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length), 0, 0, 0, 58});
  covered.insert(covered.end(), frame.begin() + kIcmp, frame.begin() + kIcmp + static_cast<ptrdiff_t>(length));
  if (covered.size() % 2 == 1) covered.push_back(0);
  uint32_t sum = 0;
  for (size_t i = 0; i < covered.size(); i += 2) sum += static_cast<uint32_t>(covered[i] << 8 | covered[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  frame[kIcmp + 2] = static_cast<uint8_t>(~sum >> 8);
  frame[kIcmp + 3] = static_cast<uint8_t>(~sum);
}

struct Row {
  const char* what;
  size_t offset;
  const char* hex;  // in place of what is at `offset`
  DropReason reason;
};

// Whoever of the two is not the sender of the probe.
MacAddress Receiver(const std::vector<uint8_t>& frame) { return frame[37] == 0 ? kHostMac : kOwnMac; }

DropReason ParseChanged(std::string_view original, const Row& row, bool rechecksum) {
  auto frame = Hex(original);
  const auto change = Hex(row.hex);
  std::copy(change.begin(), change.end(), frame.begin() + static_cast<ptrdiff_t>(row.offset));
  if (rechecksum) Rechecksum(frame);
  NeighborSolicitation solicitation;
  return ParseNeighborSolicitation(frame, Receiver(frame), solicitation);
}

// A solicitation with other options, and with its length and checksum right.
DropReason ParseWithOptions(std::string_view options, std::string_view original = kSolicitationHex) {
  auto frame = Hex(original);
  frame.resize(kIcmp + 24);
  const auto more = Hex(options);
  frame.insert(frame.end(), more.begin(), more.end());
  frame[19] = static_cast<uint8_t>(24 + more.size());
  Rechecksum(frame);
  NeighborSolicitation solicitation;
  return ParseNeighborSolicitation(frame, Receiver(frame), solicitation);
}

}  // namespace

TEST("the answer to a solicitation is the kernel's") {
  NeighborSolicitation solicitation;
  EXPECT_EQ(ParseNeighborSolicitation(Hex(kSolicitationHex), kOwnMac, solicitation), DropReason::kNone);
  EXPECT_EQ(ToHex(BuildNeighborAdvertisement(solicitation, kOwnMac)), ToHex(kAdvertisementHex));
}

TEST("the answer to duplicate address detection is the kernel's") {
  NeighborSolicitation solicitation;
  EXPECT_EQ(ParseNeighborSolicitation(Hex(kProbeHex), kHostMac, solicitation), DropReason::kNone);
  EXPECT_EQ(ToHex(BuildNeighborAdvertisement(solicitation, kHostMac)), ToHex(kProbeAnswerHex));
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
      {"to another host", 0, "02000000000e", DropReason::kOtherHost},
      {"our own frame", 6, "02000000000f", DropReason::kOwnSender},
      {"from a group", 6, "03000000000c", DropReason::kBadSender},
      {"from nobody", 6, "000000000000", DropReason::kBadSender},
      {"advertisement", 54, "88", DropReason::kNotRequest},
      {"code", 55, "01", DropReason::kMalformed},
      {"target is a group", 62, "ff02", DropReason::kBadTarget},
      {"source is a group", 22, "ff02", DropReason::kBadSource},
      {"payload beyond the frame", 18, "0021", DropReason::kTooShort},
      {"payload below a solicitation", 18, "0017", DropReason::kTooShort},
      {"to our own MAC", 0, "02000000000f", DropReason::kNone},
  };
  for (const auto& row : rows) EXPECT_EQ(ParseChanged(kSolicitationHex, row, true), row.reason, row.what);
  EXPECT_EQ(ParseChanged(kSolicitationHex, {"", 56, "1c0c", {}}, false), DropReason::kBadChecksum);
  EXPECT_EQ(ParseChanged(kSolicitationHex, {"", 77, "06", {}}, false), DropReason::kBadChecksum);
  EXPECT_EQ(ParseChanged(kSolicitationHex, {"", 37, "0d", {}}, false), DropReason::kBadChecksum);
}

TEST("a host without an address asks the solicited-node group, and states no link-layer address") {
  const Row rows[] = {
      {"to all nodes", 38, "ff020000000000000000000000000001", DropReason::kBadSource},
      {"to the target", 38, "20010db800000000000000000000000c", DropReason::kBadSource},
  };
  for (const auto& row : rows) EXPECT_EQ(ParseChanged(kProbeHex, row, true), row.reason, row.what);
  EXPECT_EQ(ParseWithOptions("0101 02000000000f", kProbeHex), DropReason::kBadOption);
  EXPECT_EQ(ParseWithOptions("", kProbeHex), DropReason::kNone);
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
  for (const auto& row : rows) EXPECT_EQ(ParseWithOptions(row.options), row.reason, row.options);
}

TEST("padding after the payload is ignored") {
  auto frame = Hex(kSolicitationHex);
  frame.resize(frame.size() + 7, 0xee);
  NeighborSolicitation solicitation;
  EXPECT_EQ(ParseNeighborSolicitation(frame, kOwnMac, solicitation), DropReason::kNone);
}

TEST("a solicitation cut off anywhere is too short") {
  const auto frame = Hex(kSolicitationHex);
  for (size_t length = 0; length < frame.size(); length++) {
    NeighborSolicitation solicitation;
    const std::vector<uint8_t> cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_EQ(ParseNeighborSolicitation(cut, kOwnMac, solicitation), DropReason::kTooShort);
  }
}

}  // namespace garpoon::test
