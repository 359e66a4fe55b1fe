// SipHash-2-4 (Aumasson and Bernstein, 2012): a short keyed digest of a short message. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace garpoon {

using SipHashKey = std::array<uint64_t, 2>;

[[nodiscard]] uint64_t SipHash(const SipHashKey& key, std::span<const uint8_t> message);

}  // namespace garpoon
