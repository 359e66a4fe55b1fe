#include "bfd_digest.h"

#include <string.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace garpoon {
namespace {

constexpr size_t kBlockSize = 64;
constexpr size_t kLengthSize = 8;

using Block = std::array<uint8_t, kBlockSize>;

// Calls `compress(block)` for every block of the message and its padding: a one bit, zeros, the length in bits.
template <typename Compress>
void ForEachBlock(std::span<const uint8_t> message, std::endian order, Compress compress) {
  Block block;
  size_t offset = 0;
  for (; message.size() - offset >= kBlockSize; offset += kBlockSize) {
    std::ranges::copy(message.subspan(offset, kBlockSize), block.begin());
    compress(block);
  }
  const auto rest = message.subspan(offset);
  block.fill(0);
  std::ranges::copy(rest, block.begin());
  block[rest.size()] = 0x80;
  if (rest.size() + 1 + kLengthSize > kBlockSize) {
    compress(block);
    block.fill(0);
  }
  const uint64_t bits = uint64_t{message.size()} * 8;
  for (size_t i = 0; i < kLengthSize; i++) {
    const size_t shift = order == std::endian::little ? 8 * i : 8 * (kLengthSize - 1 - i);
    block[kBlockSize - kLengthSize + i] = static_cast<uint8_t>(bits >> shift);
  }
  compress(block);
  explicit_bzero(block.data(), block.size());  // the message has the key in it
}

uint32_t LittleWord(const Block& block, size_t i) {
  return uint32_t{block[4 * i]} | uint32_t{block[4 * i + 1]} << 8 | uint32_t{block[4 * i + 2]} << 16 |
         uint32_t{block[4 * i + 3]} << 24;
}

uint32_t BigWord(const Block& block, size_t i) { return __builtin_bswap32(LittleWord(block, i)); }

constexpr uint32_t kRoundShifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

// The table T of RFC 1321 section 3.4: 2^32 |sin(i + 1)|, rounded down.
const std::array<uint32_t, 64>& Md5Sines() {
  static const auto table = [] {
    std::array<uint32_t, 64> sines;
    for (size_t i = 0; i < sines.size(); i++) {
      sines[i] = static_cast<uint32_t>(std::floor(std::fabs(std::sin(static_cast<double>(i + 1))) * 0x1p32));
    }
    return sines;
  }();
  return table;
}

void Md5Compress(const Block& block, std::array<uint32_t, 4>& state) {
  const auto& sines = Md5Sines();
  auto [a, b, c, d] = state;
  for (size_t i = 0; i < 64; i++) {
    uint32_t mixed;
    size_t word;
    switch (i / 16) {
      case 0:
        mixed = (b & c) | (~b & d);
        word = i;
        break;
      case 1:
        mixed = (d & b) | (~d & c);
        word = (5 * i + 1) % 16;
        break;
      case 2:
        mixed = b ^ c ^ d;
        word = (3 * i + 5) % 16;
        break;
      default:
        mixed = c ^ (b | ~d);
        word = 7 * i % 16;
        break;
    }
    const uint32_t sum = a + mixed + sines[i] + LittleWord(block, word);
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, static_cast<int>(kRoundShifts[i / 16][i % 4]));
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d};
}

void Sha1Compress(const Block& block, std::array<uint32_t, 5>& state) {
  std::array<uint32_t, 80> words;
  for (size_t i = 0; i < 16; i++) words[i] = BigWord(block, i);
  for (size_t i = 16; i < 80; i++) {
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (size_t i = 0; i < 80; i++) {
    uint32_t mixed;
    uint32_t constant;
    switch (i / 20) {
      case 0:
        mixed = (b & c) | (~b & d);
        constant = 0x5a827999;
        break;
      case 1:
        mixed = b ^ c ^ d;
        constant = 0x6ed9eba1;
        break;
      case 2:
        mixed = (b & c) | (b & d) | (c & d);
        constant = 0x8f1bbcdc;
        break;
      default:
        mixed = b ^ c ^ d;
        constant = 0xca62c1d6;
        break;
    }
    const uint32_t next = std::rotl(a, 5) + mixed + e + constant + words[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
  explicit_bzero(words.data(), sizeof words);
}

}  // namespace

std::array<uint8_t, kMd5Size> Md5(std::span<const uint8_t> message) {
  std::array<uint32_t, 4> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  ForEachBlock(message, std::endian::little, [&state](const Block& block) { Md5Compress(block, state); });
  std::array<uint8_t, kMd5Size> digest;
  for (size_t i = 0; i < kMd5Size; i++) digest[i] = static_cast<uint8_t>(state[i / 4] >> (8 * (i % 4)));
  return digest;
}

std::array<uint8_t, kSha1Size> Sha1(std::span<const uint8_t> message) {
  std::array<uint32_t, 5> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  ForEachBlock(message, std::endian::big, [&state](const Block& block) { Sha1Compress(block, state); });
  std::array<uint8_t, kSha1Size> digest;
  for (size_t i = 0; i < kSha1Size; i++) digest[i] = static_cast<uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

}  // namespace garpoon
