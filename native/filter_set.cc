#include "filter_set.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace garpoon {
namespace {

int AttachProgram(int fd, const FilterProgram& program) {
  const auto& instructions = program.instructions;
  const sock_fprog attached{static_cast<unsigned short>(instructions.size()),
                            const_cast<sock_filter*>(instructions.data())};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof attached) == 0 ? 0 : errno;
}

}  // namespace

const char* Name(SocketFilter::Form form) {
#define GARPOON_X(enumerator, name) name,
  constexpr std::array kNames = {GARPOON_FILTER_FORMS(GARPOON_X)};
#undef GARPOON_X
  return kNames[static_cast<size_t>(form)];
}

SocketFilter OpenFilter(Protocol protocol) { return {SocketFilter::Form::kOpen, BuildOpenFilter(protocol), nullptr}; }

std::shared_ptr<const FilterSet> OpenFilters() {
  return std::make_shared<const FilterSet>(FilterSet{OpenFilter(Protocol::kArp), OpenFilter(Protocol::kNdp)});
}

int Attach(int fd, Protocol protocol, const SocketFilter& filter) {
  if (filter.map != nullptr) {
    const int program = filter.map->program();
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) == 0 ? 0 : errno;
  }
  const int error = AttachProgram(fd, filter.program);
  if (error != ENOMEM) return error;
  // While one replaces another, both count towards what a socket may hold. A short one in between makes room.
  if (const int failed = AttachProgram(fd, BuildOpenFilter(protocol))) return failed;
  return AttachProgram(fd, filter.program);
}

}  // namespace garpoon
