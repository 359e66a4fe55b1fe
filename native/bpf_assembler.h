// Writes classic BPF programs. Pure.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace garpoon {

// Values from `low` to `high`. In a list: ascending, with a gap between any two.
struct Interval {
  uint32_t low;
  uint32_t high;
};

// Writes a program from its last instruction to its first. Classic BPF jumps only forward, so what a jump leads to is
// there before the jump is.
class BpfAssembler {
 public:
  // A place to jump to: index into labels_.
  using Label = size_t;

  struct Case {
    Interval values;
    Label target;
  };

  Label Return(uint32_t length) { return Write(BPF_STMT(BPF_RET | BPF_K, length)); }

  // Goes on with what was written last.
  Label Load(uint16_t width, uint32_t offset) {
    return Write(BPF_STMT(static_cast<uint16_t>(BPF_LD | BPF_ABS | width), offset));
  }

  // To the target of the case that holds the loaded value. `cases`: ascending, not empty.
  Label Search(std::span<const Case> cases, Label otherwise);

  [[nodiscard]] std::vector<sock_filter> Program() const { return {reversed_.rbegin(), reversed_.rend()}; }

 private:
  // Cases that are tried in turn. With more, the program is shorter and a frame's way through it longer.
  static constexpr size_t kLeaf = 8;
  static constexpr size_t kReach = std::numeric_limits<decltype(sock_filter::jt)>::max();

  struct Position {
    size_t home;     // index into reversed_ of the instruction itself
    size_t nearest;  // of that or of the last jump to it
  };

  Label Write(const sock_filter& instruction) {
    reversed_.push_back(instruction);
    labels_.push_back({reversed_.size() - 1, reversed_.size() - 1});
    return labels_.size() - 1;
  }

  // The instruction jumps, so nothing falls through to what was written before it.
  Label Branch(uint16_t comparison, uint32_t value, Label if_true, Label if_false);
  void BringNear(Label label);

  std::vector<sock_filter> reversed_;
  std::vector<Position> labels_;
};

}  // namespace garpoon
