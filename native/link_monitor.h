// Keeps a LinkTable true by rtnetlink notifications. Nothing is polled.
#pragma once

#include <cstdint>
#include <vector>

#include "fd.h"
#include "link_table.h"

namespace garpoon {

class LinkMonitor {
 public:
  // Subscribes, then reads all links: nothing is missed in between. 0 or an errno.
  [[nodiscard]] int Open();

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] const LinkTable& table() const { return table_; }

  // Packet thread only, when fd() is readable. Appends what changed. Adds to `resyncs` when the kernel had more to say
  // than the socket holds: then all links are read again. 0 or an errno, after which Resync() is to be called later.
  [[nodiscard]] int Receive(std::vector<LinkChange>& changes, uint64_t& resyncs);

  // Asks for all links again. 0 or an errno.
  [[nodiscard]] int Resync();

 private:
  [[nodiscard]] int Take(const LinkMessage& message, std::vector<LinkChange>& changes);

  Fd socket_;
  LinkTable table_;
  std::vector<uint8_t> buffer_;
  std::vector<LinkMessage> messages_;
  uint32_t sequence_ = 0;    // of the last dump asked for
  bool dumping_ = false;     // its end has not come yet
  bool dump_stale_ = false;  // and it must be asked for again then
};

}  // namespace garpoon
