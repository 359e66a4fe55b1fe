// BFD sessions as JavaScript hands them over. Pure.
//
// For each: family | flags | minimum TTL | detect multiplier | port | listen port | desired min TX | required min RX |
// echo interval | peer (16 bytes) | local (16 bytes) | type of authentication | number of keys | length of the
// interface's name | length of the id, then the name, the id, and for each key: id | length | bytes. Numbers are
// big-endian, ports of two bytes and intervals of four, all else of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfd_settings.h"

namespace garpoon {

struct BfdPackedFault {
  const char* what = nullptr;  // null: none
  size_t entry = 0;            // which session, from 0
};

// Everything that the rest relies on is checked here: lengths, addresses, and that ids and peers are unique.
[[nodiscard]] BfdPackedFault ParsePackedBfd(std::span<const uint8_t> packed, std::vector<BfdSettings>& sessions);

}  // namespace garpoon
