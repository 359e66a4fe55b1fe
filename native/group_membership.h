// Membership of the solicited-node groups of the IPv6 addresses announced on one interface.
//
// It is asked for on plain UDP sockets, because that sends MLD reports: a switch that snoops them delivers
// solicitations to nobody else. The sockets receive nothing; an AF_PACKET socket beside them does.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "fd.h"

namespace garpoon {

// Packet thread only.
class GroupMembership {
 public:
  // Joining gets slower with every group, so beyond this many the interface lets in all multicast instead.
  static constexpr size_t kMaxGroups = 4096;

  explicit GroupMembership(int interface_index) : interface_index_(interface_index) {}

  // The groups to be in, ascending, each once. Several addresses can share one, so a group is left only when no
  // address is in it any more. Takes effect by Step().
  void Want(std::vector<uint32_t> suffixes);

  // Leaves everything at once and joins it again: IPv6 may have been down on the interface and have forgotten it. In
  // this order, because the kernel would take leaving what it has forgotten for leaving what was joined since. Joining
  // takes effect by Step().
  void Rejoin();

  // Joins and leaves at most `budget` groups. True while there is more to do.
  [[nodiscard]] bool Step(size_t budget);

  [[nodiscard]] bool overflow() const { return overflow_; }  // more than kMaxGroups are wanted
  // How many groups the kernel refused since they were last planned, and the errno of the last.
  [[nodiscard]] size_t failures() const { return failures_; }
  [[nodiscard]] int error() const { return error_; }

 private:
  void Plan();
  [[nodiscard]] int Join(uint32_t suffix);
  void Leave(uint32_t suffix);

  int interface_index_;
  std::vector<uint32_t> wanted_;  // ascending
  bool overflow_ = false;
  std::vector<uint32_t> to_join_;   // wanted_ without joined_, as a stack
  std::vector<uint32_t> to_leave_;  // joined_ without wanted_, as a stack
  // The kernel bounds the groups per socket, so there may be several; the last has room.
  std::vector<Fd> sockets_;
  std::unordered_map<uint32_t, size_t> joined_;  // suffix -> index into sockets_
  size_t failures_ = 0;
  int error_ = 0;
};

}  // namespace garpoon
