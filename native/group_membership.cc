#include "group_membership.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace garpoon {
namespace {

int Change(int fd, int option, uint32_t suffix, int interface_index) {
  ipv6_mreq request{};
  request.ipv6mr_interface = static_cast<unsigned>(interface_index);
  request.ipv6mr_multiaddr = {{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, static_cast<uint8_t>(suffix >> 16),
                                static_cast<uint8_t>(suffix >> 8), static_cast<uint8_t>(suffix)}}};
  return setsockopt(fd, IPPROTO_IPV6, option, &request, sizeof request) == 0 ? 0 : errno;
}

}  // namespace

void GroupMembership::Want(std::vector<uint32_t> suffixes) {
  overflow_ = suffixes.size() > kMaxGroups;
  if (overflow_) suffixes.resize(kMaxGroups);
  if (suffixes == wanted_ && failures_ == 0) return;
  wanted_ = std::move(suffixes);
  Plan();
}

void GroupMembership::Rejoin() {
  sockets_.clear();
  joined_.clear();
  Plan();
}

bool GroupMembership::Step(size_t budget) {
  for (; budget > 0 && !to_join_.empty(); budget--) {
    const uint32_t suffix = to_join_.back();
    to_join_.pop_back();
    const int error = Join(suffix);
    if (error == 0) continue;
    failures_ += 1;
    error_ = error;
  }
  if (!to_join_.empty()) return true;
  for (; budget > 0 && !to_leave_.empty(); budget--) {
    Leave(to_leave_.back());
    to_leave_.pop_back();
  }
  return !to_leave_.empty();
}

void GroupMembership::Plan() {
  failures_ = 0;
  error_ = 0;
  to_join_.clear();
  to_leave_.clear();
  for (const uint32_t suffix : wanted_) {
    if (!joined_.contains(suffix)) to_join_.push_back(suffix);
  }
  for (const auto& [suffix, socket] : joined_) {
    if (!std::ranges::binary_search(wanted_, suffix)) to_leave_.push_back(suffix);
  }
}

int GroupMembership::Join(uint32_t suffix) {
  const auto join_on_last = [&] {
    const int error = Change(sockets_.back().get(), IPV6_JOIN_GROUP, suffix, interface_index_);
    if (error == 0) joined_.emplace(suffix, sockets_.size() - 1);
    return error;
  };
  if (!sockets_.empty()) {
    const int error = join_on_last();
    if (error != ENOMEM && error != ENOBUFS) return error;
  }
  Fd next(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!next.valid()) return errno;
  sockets_.push_back(std::move(next));
  const int error = join_on_last();
  // A socket that has no room for even one group would otherwise be followed by another, and another.
  if (error != 0) sockets_.pop_back();
  return error;
}

void GroupMembership::Leave(uint32_t suffix) {
  const auto found = joined_.find(suffix);
  if (found == joined_.end()) return;
  // A refusal means that the kernel has forgotten the membership already.
  (void)Change(sockets_[found->second].get(), IPV6_LEAVE_GROUP, suffix, interface_index_);
  joined_.erase(found);
}

}  // namespace garpoon
