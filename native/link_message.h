// What rtnetlink says about links. Pure: bytes in, values out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "link.h"

namespace garpoon {

struct LinkMessage {
  enum class Kind : uint8_t {
    kPresent,    // `link` is as given: new, changed or unchanged
    kGone,       // `link.index` is no more
    kLinkLocal,  // `link.index` got an IPv6 link-local address: IPv6 has come up on it
    kDumpDone,
    kDumpFailed,  // `error` says why
  };
  Kind kind;
  uint32_t sequence;  // of the request this answers; 0 for a notification
  bool interrupted;   // the links changed during the dump: it is not one consistent state
  int error;
  Link link;
};

// Appends what one datagram holds. What it does not know, or what is cut off, it passes over.
void ParseLinkMessages(std::span<const uint8_t> datagram, std::vector<LinkMessage>& out);

}  // namespace garpoon
