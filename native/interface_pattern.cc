#include "interface_pattern.h"

#include <fnmatch.h>
#include <net/if.h>

#include <algorithm>

namespace garpoon {
namespace {

bool IsGlob(std::string_view pattern) { return pattern.find_first_of("*?[") != std::string_view::npos; }

bool IsForbidden(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte <= ' ' || byte == 0x7f || byte == 0xa0 || character == '/' || character == ':';
}

}  // namespace

bool IsInterfacePattern(std::string_view pattern) {
  const size_t limit = IsGlob(pattern) ? kMaxGlob : IFNAMSIZ - 1;
  if (pattern.empty() || pattern.size() > limit || pattern == "." || pattern == "..") return false;
  return std::none_of(pattern.begin(), pattern.end(), IsForbidden);
}

bool MatchesAny(std::span<const std::string> patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&name](const std::string& pattern) {
    return pattern == name || (IsGlob(pattern) && fnmatch(pattern.c_str(), name.c_str(), 0) == 0);
  });
}

}  // namespace garpoon
