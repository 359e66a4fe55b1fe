// BFD authentication, RFC 5880 sections 4.2 to 4.4 and 6.7: keys, and the sequence numbers of one session. Pure.
#pragma once

#include <string.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfd_drop.h"
#include "bfd_packet.h"

namespace garpoon {

// As on the wire.
enum class BfdAuthentication : uint8_t { kNone, kPassword, kMd5, kMeticulousMd5, kSha1, kMeticulousSha1 };

inline constexpr size_t kBfdMaxKeys = 8;
inline constexpr size_t kBfdMaxKeySize = 20;

[[nodiscard]] size_t LongestKey(BfdAuthentication type);

// Leaves nothing of the key in memory.
class BfdKey {
 public:
  BfdKey(uint8_t id, std::span<const uint8_t> secret);  // 1 to kBfdMaxKeySize bytes; what is beyond is cut off
  BfdKey(const BfdKey&) = default;
  BfdKey& operator=(const BfdKey&) = default;
  ~BfdKey() { explicit_bzero(padded_.data(), padded_.size()); }

  bool operator==(const BfdKey&) const = default;
  [[nodiscard]] uint8_t id() const { return id_; }
  [[nodiscard]] std::span<const uint8_t> secret() const { return std::span(padded_).first(size_); }
  // With zeros behind, as it stands in the place of the digest. `size` is at most kBfdMaxKeySize.
  [[nodiscard]] std::span<const uint8_t> padded(size_t size) const { return std::span(padded_).first(size); }

 private:
  uint8_t id_;
  uint8_t size_;
  std::array<uint8_t, kBfdMaxKeySize> padded_{};
};

struct BfdKeyring {
  BfdAuthentication type = BfdAuthentication::kNone;
  // What is sent is signed with the first; each is accepted, so that keys can be changed without losing a session.
  // None with kNone alone.
  std::vector<BfdKey> keys;

  bool operator==(const BfdKeyring&) const = default;
};

// Signs and judges the packets of one session.
class BfdAuthenticator {
 public:
  // The first sequence number should be one that nobody can guess.
  explicit BfdAuthenticator(uint32_t first_sequence) : sent_sequence_(first_sequence) {}

  void SetKeys(BfdKeyring keyring) { keyring_ = std::move(keyring); }

  // Of the section that Sign() adds.
  [[nodiscard]] size_t size() const;

  // Fills in the section behind the mandatory one in `packet`, which is as long as both. `changed`: the packet says
  // something else than the one before it.
  void Sign(std::span<uint8_t> packet, bool changed);

  // Remembers the sequence number when the packet is taken.
  [[nodiscard]] BfdDrop Verify(const BfdReception& reception);

  // Nothing has been received for so long that any sequence number will do (bfd.AuthSeqKnown).
  void ForgetSequence() { sequence_known_ = false; }

 private:
  [[nodiscard]] bool InWindow(uint32_t sequence, uint8_t detect_multiplier) const;

  BfdKeyring keyring_;
  uint32_t sent_sequence_;
  uint32_t received_sequence_ = 0;
  bool sequence_known_ = false;
};

}  // namespace garpoon
