#include "../bfd_packet.h"

#include <numeric>
#include <string>
#include <vector>

#include "../bfd_authentication.h"
#include "../bfd_digest.h"
#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

// Up, poll, multiplier 3, 1 to 2, 100 ms, 200 ms, no echo.
constexpr char kUp[] = "20e003180000000100000002000186a000030d4000000000";
// Down, without the receiver's discriminator.
constexpr char kDown[] = "2040031800000001000000000001 86a000030d4000000000";

std::vector<uint8_t> Bytes(std::string hex) {
  std::erase(hex, ' ');
  return Hex(hex);
}

std::vector<uint8_t> With(std::string hex, size_t at, const std::string& bytes) {
  std::erase(hex, ' ');
  return Hex(hex.replace(2 * at, bytes.size(), bytes));
}

std::vector<uint8_t> Text(std::string_view text) { return {text.begin(), text.end()}; }

BfdKeyring Keyring(BfdAuthentication type, std::vector<std::pair<uint8_t, std::string>> keys) {
  BfdKeyring keyring{type, {}};
  for (const auto& [id, secret] : keys) keyring.keys.emplace_back(id, Text(secret));
  return keyring;
}

std::vector<uint8_t> Signed(BfdAuthenticator& authenticator, bool changed = false) {
  std::vector<uint8_t> bytes(kBfdMandatorySize + authenticator.size());
  BfdPacket packet;
  packet.state = BfdState::kDown;
  packet.detect_multiplier = 3;
  packet.my_discriminator = 7;
  MarshalBfd(packet, authenticator.size(), std::span(bytes).first<kBfdMandatorySize>());
  authenticator.Sign(bytes, changed);
  return bytes;
}

BfdDrop Judge(BfdAuthenticator& authenticator, std::span<const uint8_t> bytes) {
  BfdReception reception;
  const BfdDrop drop = ParseBfd(bytes, reception);
  return drop == BfdDrop::kNone ? authenticator.Verify(reception) : drop;
}

constexpr BfdAuthentication kTypes[] = {BfdAuthentication::kPassword, BfdAuthentication::kMd5,
                                        BfdAuthentication::kMeticulousMd5, BfdAuthentication::kSha1,
                                        BfdAuthentication::kMeticulousSha1};

}  // namespace

TEST("MD5 and SHA-1 are those of their RFCs") {
  const struct {
    std::string message;
    const char* md5;
    const char* sha1;
  } rows[] = {
      {"", "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
      {"abc", "900150983cd24fb0d6963f7d28e17f72", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {"message digest", "f96b697d7cb7938d525a2f31aaf161d0", "c12252ceda8be8994d5fa0290a47231c1d16aae3"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "8215ef0796a20bcaaae116d3876c664a",
       "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
      {std::string(80, 'a'), "b15af9cdabbaea0516866a33d8fd0f98", "86f33652fcffd7fa1443e246dd34fe5d00e25ffd"},
  };
  for (const auto& row : rows) {
    const auto md5 = Md5(Text(row.message));
    const auto sha1 = Sha1(Text(row.message));
    EXPECT_EQ(ToHex({md5.begin(), md5.end()}), row.md5, row.message);
    EXPECT_EQ(ToHex({sha1.begin(), sha1.end()}), row.sha1, row.message);
  }
}

TEST("a packet is read as it was written") {
  BfdReception reception;
  EXPECT_EQ(ParseBfd(Bytes(kUp), reception), BfdDrop::kNone);
  const BfdPacket packet{.diagnostic = BfdDiagnostic::kNone,
                         .state = BfdState::kUp,
                         .poll = true,
                         .detect_multiplier = 3,
                         .my_discriminator = 1,
                         .your_discriminator = 2,
                         .desired_min_tx = 100'000,
                         .required_min_rx = 200'000};
  EXPECT(reception.packet == packet);
  EXPECT(reception.authentication.empty());
  std::array<uint8_t, kBfdMandatorySize> bytes;
  for (int bits = 0; bits < 16; bits++) {
    BfdPacket other = packet;
    other.diagnostic = static_cast<BfdDiagnostic>(bits + 9);
    other.state = static_cast<BfdState>(bits % 4);
    other.poll = bits & 1;
    other.final = bits & 2;
    other.control_plane_independent = bits & 4;
    other.demand = bits & 8;
    MarshalBfd(other, 0, bytes);
    EXPECT_EQ(ParseBfd(bytes, reception), BfdDrop::kNone);
    EXPECT(reception.packet == other);
  }
}

TEST("what RFC 5880 section 6.8.6 discards is refused for its reason") {
  const std::vector<uint8_t> whole = Bytes(kUp);
  for (size_t size = 0; size < whole.size(); size++) {
    BfdReception reception;
    EXPECT_EQ(ParseBfd(std::span(whole).first(size), reception), BfdDrop::kTruncated);
  }
  const struct {
    const char* label;
    std::vector<uint8_t> bytes;
    BfdDrop drop;
  } rows[] = {
      {"version 0", With(kUp, 0, "00"), BfdDrop::kBadVersion},
      {"version 2", With(kUp, 0, "40"), BfdDrop::kBadVersion},
      {"length 23", With(kUp, 3, "17"), BfdDrop::kBadLength},
      {"length 0", With(kUp, 3, "00"), BfdDrop::kBadLength},
      {"length 25 of 24", With(kUp, 3, "19"), BfdDrop::kTruncated},
      {"length 255", With(kUp, 3, "ff"), BfdDrop::kTruncated},
      {"A, and nothing behind", With(kUp, 1, "e4"), BfdDrop::kBadLength},
      {"A, and length 25", With(std::string(kUp) + "00", 1, "e40319"), BfdDrop::kBadLength},
      {"multiplier 0", With(kUp, 2, "00"), BfdDrop::kZeroMultiplier},
      {"M", With(kUp, 1, "e1"), BfdDrop::kMultipoint},
      {"my discriminator 0", With(kUp, 4, "00000000"), BfdDrop::kZeroDiscriminator},
      {"Up without your discriminator", With(kUp, 8, "00000000"), BfdDrop::kMissingDiscriminator},
      {"Init without it", With(kDown, 1, "80"), BfdDrop::kMissingDiscriminator},
      {"Down without it", Bytes(kDown), BfdDrop::kNone},
      {"AdminDown without it", With(kDown, 1, "00"), BfdDrop::kNone},
      {"more behind", With(std::string(kUp) + "ffff", 0, "20"), BfdDrop::kNone},
      {"P and F", With(kUp, 1, "f0"), BfdDrop::kNone},
  };
  for (const auto& row : rows) {
    BfdReception reception;
    EXPECT_EQ(ParseBfd(row.bytes, reception), row.drop, row.label);
  }
}

TEST("what is signed is accepted by who has the key") {
  for (const BfdAuthentication type : kTypes) {
    BfdAuthenticator sender(100), receiver(0);
    sender.SetKeys(Keyring(type, {{5, "secret"}}));
    receiver.SetKeys(Keyring(type, {{4, "other"}, {5, "secret"}}));
    EXPECT_EQ(Judge(receiver, Signed(sender)), BfdDrop::kNone);
    EXPECT_EQ(Judge(receiver, Signed(sender)), BfdDrop::kNone);
  }
}

TEST("a signature is that of RFC 5880 section 6.7.3") {
  BfdAuthenticator sender(0x01020303);
  sender.SetKeys(Keyring(BfdAuthentication::kMeticulousMd5, {{9, "key"}}));
  const std::vector<uint8_t> bytes = Signed(sender);
  // type 3, length 24, key 9, reserved, sequence
  EXPECT_EQ(ToHex({bytes.begin() + 24, bytes.begin() + 32}), "0318090001020304");
  std::vector<uint8_t> message(bytes.begin(), bytes.begin() + 32);
  for (const uint8_t byte : Text("key")) message.push_back(byte);
  message.resize(48);
  const auto digest = Md5(message);
  EXPECT_EQ(ToHex({bytes.begin() + 32, bytes.end()}), ToHex({digest.begin(), digest.end()}));
}

TEST("any other authentication is refused for its reason") {
  for (const BfdAuthentication type : kTypes) {
    const struct {
      const char* label;
      BfdKeyring sent;
      BfdDrop drop;
    } rows[] = {
        {"none", {}, BfdDrop::kMissingAuthentication},
        {"another key", Keyring(type, {{5, "Secret"}}), BfdDrop::kWrongKey},
        {"another number", Keyring(type, {{6, "secret"}}), BfdDrop::kUnknownKey},
        {"a longer key", Keyring(type, {{5, "secret!"}}), BfdDrop::kWrongKey},
        {"another type", Keyring(type == kTypes[0] ? kTypes[1] : kTypes[0], {{5, "secret"}}),
         BfdDrop::kBadAuthentication},
    };
    for (const auto& row : rows) {
      BfdAuthenticator sender(100), receiver(0);
      sender.SetKeys(row.sent);
      receiver.SetKeys(Keyring(type, {{5, "secret"}}));
      EXPECT_EQ(Judge(receiver, Signed(sender)), row.drop, row.label);
    }
    BfdAuthenticator sender(100), receiver(0);
    sender.SetKeys(Keyring(type, {{5, "secret"}}));
    EXPECT_EQ(Judge(receiver, Signed(sender)), BfdDrop::kUnexpectedAuthentication);
  }
}

TEST("a section that is cut off, or longer than its type, is refused") {
  for (const BfdAuthentication type : kTypes) {
    BfdAuthenticator sender(100), receiver(0);
    sender.SetKeys(Keyring(type, {{5, "secret"}}));
    receiver.SetKeys(Keyring(type, {{5, "secret"}}));
    const std::vector<uint8_t> whole = Signed(sender);
    for (size_t size = kBfdMandatorySize + 2; size < 255; size++) {
      if (size == whole.size()) continue;
      std::vector<uint8_t> other = whole;
      other.resize(size);
      other[3] = static_cast<uint8_t>(size);
      for (const bool consistent : {false, true}) {
        if (consistent) other[25] = static_cast<uint8_t>(size - kBfdMandatorySize);
        const BfdDrop drop = Judge(receiver, other);
        const bool refused = drop == BfdDrop::kBadAuthentication ||
                             (type == BfdAuthentication::kPassword && consistent && drop == BfdDrop::kWrongKey);
        EXPECT(refused);
      }
    }
  }
}

TEST("no bit of a signed packet can be changed") {
  for (const BfdAuthentication type : {BfdAuthentication::kMd5, BfdAuthentication::kMeticulousSha1}) {
    BfdAuthenticator sender(100), receiver(0);
    sender.SetKeys(Keyring(type, {{5, "secret"}}));
    receiver.SetKeys(Keyring(type, {{5, "secret"}}));
    const std::vector<uint8_t> whole = Signed(sender);
    for (size_t bit = 0; bit < 8 * whole.size(); bit++) {
      std::vector<uint8_t> other = whole;
      other[bit / 8] = static_cast<uint8_t>(other[bit / 8] ^ (1 << bit % 8));
      EXPECT(Judge(receiver, other) != BfdDrop::kNone);
    }
    EXPECT_EQ(Judge(receiver, whole), BfdDrop::kNone);
  }
}

TEST("sequence numbers are taken from a window of three times the multiplier, and wrap around") {
  const struct {
    BfdAuthentication type;
    uint32_t ahead;
    BfdDrop drop;
  } rows[] = {
      {BfdAuthentication::kMd5, 0, BfdDrop::kNone},
      {BfdAuthentication::kMd5, 9, BfdDrop::kNone},
      {BfdAuthentication::kMd5, 10, BfdDrop::kReplayed},
      {BfdAuthentication::kMd5, ~0u, BfdDrop::kReplayed},
      {BfdAuthentication::kMeticulousMd5, 0, BfdDrop::kReplayed},
      {BfdAuthentication::kMeticulousMd5, 1, BfdDrop::kNone},
      {BfdAuthentication::kMeticulousSha1, 9, BfdDrop::kNone},
      {BfdAuthentication::kMeticulousSha1, 10, BfdDrop::kReplayed},
      {BfdAuthentication::kSha1, 1u << 31, BfdDrop::kReplayed},
  };
  for (const auto& row : rows) {
    for (const uint32_t first : {5u, ~0u - 2}) {
      const bool meticulous = row.type == kTypes[2] || row.type == kTypes[4];
      const BfdKeyring keyring = Keyring(row.type, {{5, "secret"}});
      BfdAuthenticator receiver(0), before(first), after(first + row.ahead - (meticulous ? 1 : 0));
      if (meticulous) before = BfdAuthenticator(first - 1);
      for (BfdAuthenticator* const each : {&receiver, &before, &after}) each->SetKeys(keyring);
      EXPECT_EQ(Judge(receiver, Signed(before)), BfdDrop::kNone);
      EXPECT_EQ(Judge(receiver, Signed(after)), row.drop, std::to_string(row.ahead));
      receiver.ForgetSequence();
      if (row.drop == BfdDrop::kReplayed) EXPECT_EQ(Judge(receiver, Signed(after)), BfdDrop::kNone);
    }
  }
}

TEST("a keyed sequence number grows with a change alone") {
  BfdAuthenticator sender(1);
  sender.SetKeys(Keyring(BfdAuthentication::kSha1, {{1, "k"}}));
  const auto first = Signed(sender);
  EXPECT(Signed(sender) == first);
  EXPECT(Signed(sender, true) != first);
}

}  // namespace garpoon::test
