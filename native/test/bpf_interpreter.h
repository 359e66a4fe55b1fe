// Classic BPF as its definition says (Documentation/networking/filter.rst), for the part of it that our programs use.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace garpoon::test {

// What the kernel refuses to attach, and a jump that the program would leave by.
inline bool IsValidBpf(std::span<const sock_filter> program) {
  if (program.empty() || program.size() > BPF_MAXINSNS) return false;
  for (size_t i = 0; i < program.size(); i++) {
    const sock_filter& instruction = program[i];
    const size_t beyond = program.size() - i - 1;  // instructions after this one
    switch (instruction.code) {
      case BPF_LD | BPF_ABS | BPF_W:
      case BPF_LD | BPF_ABS | BPF_H:
      case BPF_LD | BPF_ABS | BPF_B:
      case BPF_RET | BPF_K:
        break;
      case BPF_JMP | BPF_JA:
        if (instruction.k >= beyond) return false;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
      case BPF_JMP | BPF_JGT | BPF_K:
      case BPF_JMP | BPF_JGE | BPF_K:
        if (instruction.jt >= beyond || instruction.jf >= beyond) return false;
        break;
      default:
        return false;
    }
  }
  return BPF_CLASS(program.back().code) == BPF_RET;
}

// How much of the frame the program passes; 0 drops it. Only for a valid program.
inline uint32_t RunBpf(std::span<const sock_filter> program, std::span<const uint8_t> frame, uint8_t packet_type) {
  uint32_t accumulator = 0;
  for (size_t at = 0;; at++) {
    const auto& [code, jt, jf, k] = program[at];
    switch (BPF_CLASS(code)) {
      case BPF_LD: {
        if (k == static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)) {
          accumulator = packet_type;
          break;
        }
        const size_t width = BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
        if (k > frame.size() || width > frame.size() - k) return 0;
        accumulator = 0;
        for (const uint8_t byte : frame.subspan(k, width)) accumulator = accumulator << 8 | byte;
        break;
      }
      case BPF_JMP: {
        if (BPF_OP(code) == BPF_JA) {
          at += k;
          break;
        }
        const bool holds = BPF_OP(code) == BPF_JEQ   ? accumulator == k
                           : BPF_OP(code) == BPF_JGT ? accumulator > k
                                                     : accumulator >= k;
        at += holds ? jt : jf;
        break;
      }
      default:
        return k;
    }
  }
}

}  // namespace garpoon::test
