// One session in the table. Of bfd_table.cc and bfd_table_echo.cc alone.
#pragma once

#include <memory>

#include "bfd_table.h"

namespace garpoon {

struct BfdTable::Entry {
  BfdSettings settings;
  std::shared_ptr<BfdReport> report;
  BfdSession session;
  int interface_index = 0;                // of the interface that is named
  Nanoseconds leaves_at = kNever;         // when it is not wanted any more
  Nanoseconds armed_for = kNever;         // its place in due_
  BfdState told_state = BfdState::kDown;  // in the last event
  BfdEchoPath echo_path{};                // as the last control packet has come; no interface before that
  Nanoseconds echo_look_at = 0;           // when to ask again whether the peer's echo packets come back
  Nanoseconds echo_allowance = 0;         // how far ahead of now the peer's echo packets are
};

}  // namespace garpoon
