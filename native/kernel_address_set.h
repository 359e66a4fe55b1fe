// The eBPF variant of socket_filter.h: a program over a hash table that holds the addresses, for where CAP_BPF is held.
// A change of the set does not touch the sockets, and there is no limit at which it stops being exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "address.h"
#include "fd.h"
#include "socket_filter.h"

namespace garpoon {

// One thread at a time, and not the packet thread: to fill a large set takes tens of milliseconds.
class KernelAddressSet {
 public:
  // Null with `error` set: EPERM without CAP_BPF, and before Linux 5.11 also when RLIMIT_MEMLOCK is low.
  [[nodiscard]] static std::unique_ptr<KernelAddressSet> Create(Protocol protocol, int& error);

  // Makes the set equal to `addresses`: of the protocol's family, ascending by bytes, each once. What is in both sets
  // is in throughout. 0 or an errno, after which what is in is unspecified.
  [[nodiscard]] int Assign(std::span<const IpAddress> addresses);

  // For SO_ATTACH_BPF, on as many sockets as there are: they share the set, and keep it when this is gone.
  [[nodiscard]] int program() const { return program_.get(); }

 private:
  KernelAddressSet(Fd map, Fd program) : map_(std::move(map)), program_(std::move(program)) {}

  Fd map_;  // address, in network byte order -> a byte that nobody looks at
  Fd program_;
  std::vector<IpAddress> contents_;  // of map_, ascending
};

}  // namespace garpoon
