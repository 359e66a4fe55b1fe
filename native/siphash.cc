#include "siphash.h"

#include <bit>
#include <cstddef>

namespace garpoon {
namespace {

using Words = std::array<uint64_t, 4>;

void Mix(Words& v, int rounds) {
  for (int i = 0; i < rounds; i++) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = std::rotl(v[1], 13) ^ v[0];
    v[3] = std::rotl(v[3], 16) ^ v[2];
    v[0] = std::rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = std::rotl(v[1], 17) ^ v[2];
    v[3] = std::rotl(v[3], 21) ^ v[0];
    v[2] = std::rotl(v[2], 32);
  }
}

}  // namespace

uint64_t SipHash(const SipHashKey& key, std::span<const uint8_t> message) {
  Words v = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
             key[1] ^ 0x7465646279746573};
  const auto take = [&v](uint64_t word) {
    v[3] ^= word;
    Mix(v, 2);
    v[0] ^= word;
  };
  uint64_t word = 0;
  for (size_t i = 0; i < message.size(); i++) {
    word |= uint64_t{message[i]} << 8 * (i % 8);
    if (i % 8 != 7) continue;
    take(word);
    word = 0;
  }
  take(word | uint64_t{message.size()} << 56);
  v[2] ^= 0xff;
  Mix(v, 4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

}  // namespace garpoon
