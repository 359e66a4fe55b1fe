#include "../router_message.h"

#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

// FRR's on an unnumbered link, and the kernel's solicitation.
constexpr std::string_view kAdvertisement = "86 00 0000 40 00 001e 00000000 00000000 0101 02000000000c";
constexpr std::string_view kSolicitation = "85 00 0000 00000000 0101 02000000000c";

}  // namespace

TEST("a router message is taken only as RFC 4861 section 6.1 says") {
  const struct {
    const char* what;
    std::string_view hex;
    const char* source;
    uint8_t hop_limit;
    DropReason reason;
  } rows[] = {
      {"an advertisement", kAdvertisement, "fe80::c", 255, DropReason::kNone},
      {"a solicitation", kSolicitation, "fe80::c", 255, DropReason::kNone},
      {"without options", "86 00 0000 40 00 001e 00000000 00000000", "fe80::c", 255, DropReason::kNone},
      {"a solicitation without options", "85 00 0000 00000000", "::", 255, DropReason::kNone},
      {"an unknown option", "85 00 0000 00000000 c801 000000000000", "fe80::c", 255, DropReason::kNone},
      {"from febf::", kAdvertisement, "febf::c", 255, DropReason::kNone},
      {"from a global address", kAdvertisement, "2001:db8::c", 255, DropReason::kBadSource},
      {"from fec0::", kAdvertisement, "fec0::c", 255, DropReason::kBadSource},
      {"from nobody", kAdvertisement, "::", 255, DropReason::kBadSource},
      {"from a group", kAdvertisement, "ff02::1", 255, DropReason::kBadSource},
      {"from IPv4", kAdvertisement, "198.18.0.1", 255, DropReason::kBadSource},
      {"a global address may ask", kSolicitation, "2001:db8::c", 255, DropReason::kNone},
      {"hop limit 254", kAdvertisement, "fe80::c", 254, DropReason::kBadHopLimit},
      {"hop limit 0", kSolicitation, "fe80::c", 0, DropReason::kBadHopLimit},
      {"code 1", "86 01 0000 40 00 001e 00000000 00000000", "fe80::c", 255, DropReason::kMalformed},
      {"a neighbour solicitation", "87 00 0000 40 00 001e 00000000 00000000", "fe80::c", 255, DropReason::kNotRequest},
      {"nothing", "", "fe80::c", 255, DropReason::kTooShort},
      {"7 bytes", "85 00 0000 000000", "fe80::c", 255, DropReason::kTooShort},
      {"an advertisement of 15", "86 00 0000 40 00 001e 00000000 000000", "fe80::c", 255, DropReason::kTooShort},
      {"an option of length 0", "85 00 0000 00000000 0100 02000000000c", "fe80::c", 255, DropReason::kBadOption},
      {"an option cut off", "85 00 0000 00000000 0102 02000000000c", "fe80::c", 255, DropReason::kBadOption},
      {"half an option's head", "85 00 0000 00000000 01", "fe80::c", 255, DropReason::kBadOption},
      {"nobody states an address", kSolicitation, "::", 255, DropReason::kBadOption},
  };
  for (const auto& row : rows) {
    RouterMessage message;
    EXPECT_EQ(ParseRouterMessage(Hex(row.hex), Ip(row.source), row.hop_limit, message), row.reason, row.what);
  }
}

TEST("the lifetime and the type of a router message are read") {
  RouterMessage message;
  EXPECT_EQ(ParseRouterMessage(Hex(kAdvertisement), Ip("fe80::c"), 255, message), DropReason::kNone);
  EXPECT(message.type == RouterMessageType::kAdvertisement);
  EXPECT_EQ(message.lifetime, 30);
  EXPECT_EQ(ParseRouterMessage(Hex(kSolicitation), Ip("fe80::c"), 255, message), DropReason::kNone);
  EXPECT(message.type == RouterMessageType::kSolicitation);
}

TEST("what is built is valid, and makes nobody send us what is for others") {
  EXPECT_EQ(ToHex(BuildRouterSolicitation(kHostMac)), ToHex(kSolicitation));
  const auto built = BuildRouterAdvertisement(kHostMac);
  EXPECT_EQ(ToHex(built), ToHex("86 00 0000 00 00 0000 00000000 00000000 0101 02000000000c"));
  RouterMessage message;
  EXPECT_EQ(ParseRouterMessage(built, Ip("fe80::c"), 255, message), DropReason::kNone);
  EXPECT_EQ(message.lifetime, 0);
}

}  // namespace garpoon::test
