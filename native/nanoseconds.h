// Time as the packet path counts it.
#pragma once

#include <cstdint>
#include <limits>

namespace garpoon {

using Nanoseconds = uint64_t;
inline constexpr Nanoseconds kNever = std::numeric_limits<Nanoseconds>::max();
inline constexpr Nanoseconds kMillisecond = 1'000'000;

}  // namespace garpoon
