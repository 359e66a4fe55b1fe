// Interface names and globs: where an address is announced, and which interfaces are left alone.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace garpoon {

// Names and globs. Empty: every eligible interface.
using InterfaceSet = std::vector<std::string>;

// Whether an interface could ever match: a name as the kernel allows them (1 to 15 bytes, no white space, '/' or ':',
// not "." or ".."), or a glob of at most kMaxGlob such bytes.
inline constexpr size_t kMaxGlob = 64;
[[nodiscard]] bool IsInterfacePattern(std::string_view pattern);

[[nodiscard]] bool MatchesAny(std::span<const std::string> patterns, const std::string& name);

}  // namespace garpoon
