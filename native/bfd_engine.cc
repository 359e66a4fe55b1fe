#include "bfd_engine.h"

#include <net/if.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "clock.h"

namespace garpoon {
namespace {

constexpr Nanoseconds kRetryInterval = 5000 * kMillisecond;

}  // namespace

BfdEngine::BfdEngine(Outside outside, std::shared_ptr<BfdReport> unclaimed)
    : outside_(std::move(outside)), table_(*this, std::move(unclaimed)) {}

void BfdEngine::Apply(std::vector<BfdWish> wishes) {
  std::set<Place> places;
  for (const BfdWish& wish : wishes) {
    places.emplace(wish.settings.peer.address.family, wish.settings.peer.listen_port);
  }
  std::erase_if(listeners_, [&places](const auto& each) { return !places.contains(each.first); });
  for (const Place& place : places) listeners_.try_emplace(place);
  Listen();
  table_.Apply(std::move(wishes), Now());
}

void BfdEngine::Listen() {
  retry_at_ = kNever;
  for (auto& [place, listener] : listeners_) {
    if (listener.receiver != nullptr) continue;
    auto receiver = std::make_unique<BfdReceiver>();
    int error = receiver->Open(place.first, place.second);
    if (error == 0) {
      epoll_event interest{EPOLLIN, {.u64 = outside_.token_of(receiver->fd())}};
      if (epoll_ctl(outside_.epoll, EPOLL_CTL_ADD, receiver->fd(), &interest) != 0) error = errno;
    }
    if (error == 0) {
      listener.receiver = std::move(receiver);
    } else {
      if (error != listener.error) outside_.fail({"listen for BFD", error});
      retry_at_ = Now() + kRetryInterval;
    }
    listener.error = error;
  }
}

void BfdEngine::Receive(int fd) {
  const Nanoseconds now = Now();
  const auto sink = [this, now](const BfdDatagram& datagram) { table_.Receive(datagram, now); };
  for (const auto& [place, listener] : listeners_) {
    if (listener.receiver != nullptr && listener.receiver->fd() == fd) listener.receiver->Receive(sink);
  }
}

void BfdEngine::TakeArrived() {
  for (const auto& [place, listener] : listeners_) {
    if (listener.receiver != nullptr) Receive(listener.receiver->fd());
  }
}

void BfdEngine::RunDue() {
  const Nanoseconds now = Now();
  if (retry_at_ <= now) Listen();
  table_.RunDue(now);
}

void BfdEngine::Close() {
  table_.Close(Now());
  listeners_.clear();
}

bool BfdEngine::Send(uint32_t discriminator, const BfdSettings& settings, std::span<const uint8_t> packet) {
  Fd& fd = senders_[discriminator];
  for (int attempt = 0; attempt < 2; attempt++) {
    if (!fd.valid()) {
      int error = 0;
      fd = OpenBfdSender(
          settings, [this] { return Random(); }, error);
      if (error != 0) return false;
    }
    if (send(fd.get(), packet.data(), packet.size(), 0) >= 0) return true;
    // That nobody listened to the packet before is told instead of sending this one. Anything else may be the socket's:
    // its address or its interface may have gone and come again.
    if (errno != ECONNREFUSED) fd = Fd();
  }
  return false;
}

int BfdEngine::InterfaceIndex(const std::string& name) { return static_cast<int>(if_nametoindex(name.c_str())); }

uint64_t BfdEngine::Random() {
  uint64_t random;
  // Fails only before the kernel has any, and then waits instead.
  while (getrandom(&random, sizeof random, 0) != sizeof random) {
  }
  return random;
}

uint64_t BfdEngine::WallTime() { return ReadClock(CLOCK_REALTIME); }

}  // namespace garpoon
