// What was attempted, and the errno it ended with.
#pragma once

namespace garpoon {

struct Failure {
  const char* operation = "";
  int error = 0;
  bool operator==(const Failure&) const = default;
};

}  // namespace garpoon
