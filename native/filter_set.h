// The filters that keep other people's frames away from the packet thread: built on the compiler thread, attached by
// the packet thread, immutable between.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "kernel_address_set.h"
#include "socket_filter.h"

namespace garpoon {

// Which addresses' frames come through.
#define GARPOON_FILTER_FORMS(X)                                                   \
  X(kOpen, "open")     /* any address's: the table has just changed */            \
  X(kExact, "exact")   /* ours, by a classic BPF program */                       \
  X(kRanges, "ranges") /* ours and some between them, by a classic BPF program */ \
  X(kMap, "map")       /* ours, by an eBPF program and a map */

struct SocketFilter {
  enum class Form : uint8_t {
#define GARPOON_X(enumerator, name) enumerator,
    GARPOON_FILTER_FORMS(GARPOON_X)
#undef GARPOON_X
  };
  Form form = Form::kOpen;
  FilterProgram program;                  // unless there is a map
  std::shared_ptr<KernelAddressSet> map;  // for kMap
};

[[nodiscard]] const char* Name(SocketFilter::Form form);

using FilterSet = std::array<SocketFilter, 2>;  // by Protocol

// Lets in whatever is of the protocol, until it is known for which addresses.
[[nodiscard]] SocketFilter OpenFilter(Protocol protocol);
[[nodiscard]] std::shared_ptr<const FilterSet> OpenFilters();

// Puts the filter on a socket in place of the one that is there, without a moment between the two. 0 or an errno, after
// which the socket has the one from before, or an open one.
[[nodiscard]] int Attach(int fd, Protocol protocol, const SocketFilter& filter);

}  // namespace garpoon
