#include "../arp.h"

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

struct Malformed {
  const char* what;
  size_t offset;
  const char* hex;  // in place of what is at `offset` of a good request
  DropReason reason;
};

DropReason ParseChanged(const Malformed& row) {
  auto frame = Hex(kArpRequestHex);
  const auto change = Hex(row.hex);
  std::copy(change.begin(), change.end(), frame.begin() + static_cast<ptrdiff_t>(row.offset));
  ArpRequest request;
  return ParseArpRequest(frame, kOwnMac, request);
}

}  // namespace

TEST("the reply to a request is the kernel's, padded") {
  ArpRequest request;
  EXPECT_EQ(ParseArpRequest(Hex(kArpRequestHex), kOwnMac, request), DropReason::kNone);
  const ArpFrame reply = BuildArpReply(request, kOwnMac);
  EXPECT_EQ(ToHex(reply), ToHex(kArpReplyHex) + std::string(2 * 18, '0'));
}

TEST("a probe from 0.0.0.0 is answered") {
  auto frame = Hex(kArpRequestHex);
  std::fill_n(frame.begin() + 28, 4, uint8_t{0});
  ArpRequest request;
  EXPECT_EQ(ParseArpRequest(frame, kOwnMac, request), DropReason::kNone);
  EXPECT_EQ(ToHex(BuildArpReply(request, kOwnMac)).substr(2 * 38, 8), "00000000");
}

TEST("padding after a request is ignored") {
  auto frame = Hex(kArpRequestHex);
  frame.resize(60, 0xee);
  ArpRequest request;
  EXPECT_EQ(ParseArpRequest(frame, kOwnMac, request), DropReason::kNone);
}

TEST("an announcement comes as a request without target and as a reply to all") {
  EXPECT_EQ(ToHex(BuildGratuitousArp(ArpForm::kRequest, Ip("198.18.0.5"), kOwnMac)).substr(0, 84),
            ToHex("ffffffffffff 02000000000f 0806 0001 0800 06 04 0001 02000000000f c6120005 000000000000 c6120005"));
  EXPECT_EQ(ToHex(BuildGratuitousArp(ArpForm::kReply, Ip("198.18.0.5"), kOwnMac)).substr(0, 84),
            ToHex("ffffffffffff 02000000000f 0806 0001 0800 06 04 0002 02000000000f c6120005 ffffffffffff c6120005"));
}

TEST("every way a request can be wrong has its reason") {
  const Malformed rows[] = {
      {"ether type", 12, "0800", DropReason::kMalformed},
      {"VLAN tag", 12, "8100", DropReason::kMalformed},
      {"hardware type", 14, "0006", DropReason::kMalformed},
      {"protocol type", 16, "86dd", DropReason::kMalformed},
      {"hardware length", 18, "08", DropReason::kMalformed},
      {"protocol length", 19, "10", DropReason::kMalformed},
      {"reply", 20, "0002", DropReason::kNotRequest},
      {"reverse request", 20, "0003", DropReason::kNotRequest},
      {"to another host", 0, "02000000000e", DropReason::kOtherHost},
      {"to a group", 0, "01005e000001", DropReason::kOtherHost},
      {"our own frame", 6, "02000000000f", DropReason::kOwnSender},
      {"our own sender", 22, "02000000000f", DropReason::kOwnSender},
      {"from a group", 6, "03000000000c", DropReason::kBadSender},
      {"sender is a group", 22, "ffffffffffff", DropReason::kBadSender},
      {"sender is nobody", 22, "000000000000", DropReason::kBadSender},
      {"to our own address", 0, "02000000000f", DropReason::kNone},
  };
  for (const auto& row : rows) EXPECT_EQ(ParseChanged(row), row.reason, row.what);
}

TEST("a request cut off anywhere is too short") {
  const auto frame = Hex(kArpRequestHex);
  for (size_t length = 0; length < frame.size(); length++) {
    ArpRequest request;
    // On the heap at its exact size, so that a sanitizer sees a read past the end.
    const std::vector<uint8_t> cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_EQ(ParseArpRequest(cut, kOwnMac, request), DropReason::kTooShort);
  }
}

}  // namespace garpoon::test
