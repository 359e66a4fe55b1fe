#include "bpf_assembler.h"

namespace garpoon {

BpfAssembler::Label BpfAssembler::Search(std::span<const Case> cases, Label otherwise) {
  if (cases.size() > kLeaf) {
    // Whole leaves on the left: a program has as few as it can.
    const size_t leaves = (cases.size() + kLeaf - 1) / kLeaf;
    const size_t middle = leaves / 2 * kLeaf;
    const Label right = Search(cases.subspan(middle), otherwise);
    const Label left = Search(cases.first(middle), otherwise);
    return Branch(BPF_JGE, cases[middle].values.low, right, left);
  }
  Label next = otherwise;
  for (size_t i = cases.size(); i-- > 0;) {
    const auto& [values, target] = cases[i];
    if (values.low == values.high) {
      next = Branch(BPF_JEQ, values.low, target, next);
    } else {
      const Label not_below = Branch(BPF_JGT, values.high, next, target);
      next = Branch(BPF_JGE, values.low, not_below, otherwise);
    }
  }
  return next;
}

BpfAssembler::Label BpfAssembler::Branch(uint16_t comparison, uint32_t value, Label if_true, Label if_false) {
  BringNear(if_true);
  BringNear(if_false);
  const auto skip = [&](Label label) { return static_cast<uint8_t>(reversed_.size() - labels_[label].nearest - 1); };
  return Write(BPF_JUMP(static_cast<uint16_t>(BPF_JMP | BPF_K | comparison), value, skip(if_true), skip(if_false)));
}

// Within reach of the next instruction and of the one before it: a branch may bring two labels near.
void BpfAssembler::BringNear(Label label) {
  Position& position = labels_[label];
  if (reversed_.size() - position.nearest <= kReach) return;
  const size_t skip = reversed_.size() - position.home - 1;
  reversed_.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(skip)));
  position.nearest = reversed_.size() - 1;
}

}  // namespace garpoon
