// MD5 (RFC 1321) and SHA-1 (RFC 3174), which BFD authentication is defined by and which nothing else may use. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace garpoon {

inline constexpr size_t kMd5Size = 16;
inline constexpr size_t kSha1Size = 20;

[[nodiscard]] std::array<uint8_t, kMd5Size> Md5(std::span<const uint8_t> message);
[[nodiscard]] std::array<uint8_t, kSha1Size> Sha1(std::span<const uint8_t> message);

}  // namespace garpoon
