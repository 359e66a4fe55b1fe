#include "bfd_authentication.h"

#include <algorithm>

#include "bfd_digest.h"
#include "wire.h"

namespace garpoon {
namespace {

constexpr size_t kPasswordPrefix = 3;  // type, length, key number
constexpr size_t kDigestPrefix = 8;    // and a reserved byte and the sequence number
constexpr size_t kMaxPassword = 16;
constexpr uint32_t kWindow = 3;  // times the detect multiplier

bool IsMeticulous(BfdAuthentication type) {
  return type == BfdAuthentication::kMeticulousMd5 || type == BfdAuthentication::kMeticulousSha1;
}

size_t DigestSize(BfdAuthentication type) {
  return type == BfdAuthentication::kSha1 || type == BfdAuthentication::kMeticulousSha1 ? kSha1Size : kMd5Size;
}

// Takes as long whether they differ at the first byte or the last.
bool SameSecret(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  if (a.size() != b.size()) return false;
  uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); i++) difference = static_cast<uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

// Of the packet with the key where the digest will be.
void WriteDigest(BfdAuthentication type, std::span<const uint8_t> message, std::span<uint8_t> out) {
  if (DigestSize(type) == kSha1Size) {
    std::ranges::copy(Sha1(message), out.begin());
  } else {
    std::ranges::copy(Md5(message), out.begin());
  }
}

}  // namespace

size_t LongestKey(BfdAuthentication type) {
  switch (type) {
    case BfdAuthentication::kNone:
      return 0;
    case BfdAuthentication::kPassword:
      return kMaxPassword;
    default:
      return DigestSize(type);
  }
}

BfdKey::BfdKey(uint8_t id, std::span<const uint8_t> secret)
    : id_(id), size_(static_cast<uint8_t>(std::min(secret.size(), kBfdMaxKeySize))) {
  std::ranges::copy(secret.first(size_), padded_.begin());
}

size_t BfdAuthenticator::size() const {
  switch (keyring_.type) {
    case BfdAuthentication::kNone:
      return 0;
    case BfdAuthentication::kPassword:
      return kPasswordPrefix + keyring_.keys.front().secret().size();
    default:
      return kDigestPrefix + DigestSize(keyring_.type);
  }
}

void BfdAuthenticator::Sign(std::span<uint8_t> packet, bool changed) {
  if (keyring_.type == BfdAuthentication::kNone) return;
  const BfdKey& key = keyring_.keys.front();
  const auto section = packet.subspan(kBfdMandatorySize);
  WireWriter out(section);
  out.U8(static_cast<uint8_t>(keyring_.type)).U8(static_cast<uint8_t>(section.size())).U8(key.id());
  if (keyring_.type == BfdAuthentication::kPassword) {
    out.Bytes(key.secret());
    return;
  }
  // Section 6.7.3: the number must grow with every packet when meticulous, otherwise it should with every change.
  if (IsMeticulous(keyring_.type) || changed) sent_sequence_++;
  const size_t digest_size = DigestSize(keyring_.type);
  out.U8(0).U32(sent_sequence_).Bytes(key.padded(digest_size));
  WriteDigest(keyring_.type, packet, section.subspan(kDigestPrefix));
}

BfdDrop BfdAuthenticator::Verify(const BfdReception& reception) {
  const auto section = reception.authentication;
  if (keyring_.type == BfdAuthentication::kNone) {
    return section.empty() ? BfdDrop::kNone : BfdDrop::kUnexpectedAuthentication;
  }
  if (section.empty()) return BfdDrop::kMissingAuthentication;
  WireReader in(section);
  const auto type = static_cast<BfdAuthentication>(in.U8());
  const size_t length = in.U8();
  const uint8_t key_id = in.U8();
  if (!in.ok() || type != keyring_.type || length != section.size()) return BfdDrop::kBadAuthentication;

  const auto key = std::ranges::find(keyring_.keys, key_id, &BfdKey::id);
  if (type == BfdAuthentication::kPassword) {
    const size_t password_size = section.size() - kPasswordPrefix;
    if (password_size == 0 || password_size > kMaxPassword) return BfdDrop::kBadAuthentication;
    if (key == keyring_.keys.end()) return BfdDrop::kUnknownKey;
    return SameSecret(section.subspan(kPasswordPrefix), key->secret()) ? BfdDrop::kNone : BfdDrop::kWrongKey;
  }

  const size_t digest_size = DigestSize(type);
  if (section.size() != kDigestPrefix + digest_size) return BfdDrop::kBadAuthentication;
  if (key == keyring_.keys.end()) return BfdDrop::kUnknownKey;
  (void)in.U8();  // reserved, ignored on receipt
  const uint32_t sequence = in.U32();
  // The length is that of the mandatory section and this one, which is never longer than kBfdLongestPacket.
  std::array<uint8_t, kBfdLongestPacket> message;
  const auto copy = std::span(message).first(reception.bytes.size());
  std::ranges::copy(reception.bytes, copy.begin());
  std::ranges::copy(key->padded(digest_size), copy.last(digest_size).begin());
  std::array<uint8_t, kSha1Size> digest;
  WriteDigest(type, copy, digest);
  explicit_bzero(message.data(), message.size());
  if (!SameSecret(section.last(digest_size), std::span(digest).first(digest_size))) return BfdDrop::kWrongKey;

  // Only now, though section 6.7.3 has it before the digest: a forged number must not shut out the true ones.
  if (sequence_known_ && !InWindow(sequence, reception.packet.detect_multiplier)) return BfdDrop::kReplayed;
  received_sequence_ = sequence;
  sequence_known_ = true;
  return BfdDrop::kNone;
}

bool BfdAuthenticator::InWindow(uint32_t sequence, uint8_t detect_multiplier) const {
  const uint32_t ahead = sequence - received_sequence_;  // circular
  return ahead >= (IsMeticulous(keyring_.type) ? 1u : 0u) && ahead <= kWindow * detect_multiplier;
}

}  // namespace garpoon
