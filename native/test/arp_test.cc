#include "../arp.h"

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

struct Row {
  const char* what;
  size_t offset;
  const char* hex;  // in place of what is at `offset` of a good request
  DropReason reason;
};

DropReason ParseChanged(const Row& row) {
  auto frame = Hex(kArpRequestHex);
  const auto change = Hex(row.hex);
  std::copy(change.begin(), change.end(), frame.begin() + static_cast<ptrdiff_t>(row.offset));
  ArpMessage message;
  return ParseArp(frame, message);
}

std::string Padded(std::string_view hex) { return ToHex(hex) + std::string(2 * 18, '0'); }

}  // namespace

TEST("the reply to a request is the kernel's, padded") {
  ArpMessage request;
  EXPECT_EQ(ParseArp(Hex(kArpRequestHex), request), DropReason::kNone);
  EXPECT(request.operation == ArpOperation::kRequest);
  EXPECT_EQ(ToHex(BuildArpReply(request, kOwnMac)), Padded(kArpReplyHex));
}

TEST("a reply is read as a request is") {
  ArpMessage reply;
  EXPECT_EQ(ParseArp(Hex(kArpReplyHex), reply), DropReason::kNone);
  EXPECT(reply.operation == ArpOperation::kReply);
  EXPECT(reply.destination == kHostMac && reply.source == kOwnMac && reply.sender_mac == kOwnMac);
  EXPECT(reply.sender_ip == Ip("198.18.0.5") && reply.target_ip == Ip("198.19.255.1"));
}

TEST("the Ethernet source and the sender are told apart") {
  auto frame = Hex(kArpReplyHex);
  frame[27] = 0xee;
  ArpMessage reply;
  EXPECT_EQ(ParseArp(frame, reply), DropReason::kNone);
  EXPECT(reply.source == kOwnMac && reply.sender_mac == Mac("0200000000ee"));
}

TEST("the reply to a probe from 0.0.0.0 is to 0.0.0.0") {
  ArpMessage request;
  EXPECT_EQ(ParseArp(BuildArpProbe(Ip("198.18.0.5"), kHostMac), request), DropReason::kNone);
  EXPECT_EQ(ToHex(BuildArpReply(request, kOwnMac)),
            Padded("02000000000c 02000000000f 0806 0001 0800 06 04 0002 02000000000f c6120005 02000000000c 00000000"));
}

TEST("padding after a message is ignored") {
  auto frame = Hex(kArpRequestHex);
  frame.resize(60, 0xee);
  ArpMessage request;
  EXPECT_EQ(ParseArp(frame, request), DropReason::kNone);
}

TEST("every frame that is sent unasked is the one its RFC describes") {
  const IpAddress address = Ip("198.18.0.5");
  const struct {
    ArpFrame frame;
    const char* hex;
  } rows[] = {
      {BuildGratuitousArp(ArpOperation::kRequest, address, kOwnMac),
       "ffffffffffff 02000000000f 0806 0001 0800 06 04 0001 02000000000f c6120005 000000000000 c6120005"},
      {BuildGratuitousArp(ArpOperation::kReply, address, kOwnMac),
       "ffffffffffff 02000000000f 0806 0001 0800 06 04 0002 02000000000f c6120005 ffffffffffff c6120005"},
      {BuildArpProbe(address, kOwnMac),
       "ffffffffffff 02000000000f 0806 0001 0800 06 04 0001 02000000000f 00000000 000000000000 c6120005"},
      {BuildUnicastArp(address, kOwnMac, kHostMac, Ip("198.19.255.1")),
       "02000000000c 02000000000f 0806 0001 0800 06 04 0001 02000000000f c6120005 02000000000c c613ff01"},
  };
  for (const auto& row : rows) EXPECT_EQ(ToHex(row.frame), Padded(row.hex));
}

TEST("every way a message can be wrong has its reason") {
  const Row rows[] = {
      {"ether type", 12, "0800", DropReason::kMalformed},
      {"VLAN tag", 12, "8100", DropReason::kMalformed},
      {"hardware type", 14, "0006", DropReason::kMalformed},
      {"protocol type", 16, "86dd", DropReason::kMalformed},
      {"hardware length", 18, "08", DropReason::kMalformed},
      {"protocol length", 19, "10", DropReason::kMalformed},
      {"no operation", 20, "0000", DropReason::kNotRequest},
      {"reverse request", 20, "0003", DropReason::kNotRequest},
      {"operation in the wrong byte order", 20, "0100", DropReason::kNotRequest},
      {"from a group", 6, "03000000000c", DropReason::kBadSender},
      {"sender is a group", 22, "ffffffffffff", DropReason::kBadSender},
      {"sender is nobody", 22, "000000000000", DropReason::kBadSender},
  };
  for (const auto& row : rows) EXPECT_EQ(ParseChanged(row), row.reason, row.what);
}

TEST("a header with any bit changed is refused") {
  for (size_t bit = 12 * 8; bit < 20 * 8; bit++) {
    auto frame = Hex(kArpRequestHex);
    frame[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    ArpMessage message;
    EXPECT_EQ(ParseArp(frame, message), DropReason::kMalformed);
  }
}

TEST("a message cut off anywhere is too short") {
  const auto frame = Hex(kArpRequestHex);
  for (size_t length = 0; length < frame.size(); length++) {
    ArpMessage message;
    // On the heap at its exact size, so that a sanitizer sees a read past the end.
    const std::vector<uint8_t> cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_EQ(ParseArp(cut, message), DropReason::kTooShort);
  }
}

}  // namespace garpoon::test
