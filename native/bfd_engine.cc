#include "bfd_engine.h"

#include <net/if.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "clock.h"

namespace garpoon {
namespace {

constexpr Nanoseconds kRetryInterval = 5000 * kMillisecond;
constexpr Nanoseconds kNeighborInterval = 1000 * kMillisecond;
constexpr std::pair<Family, uint16_t> kEchoPlace{Family::kIpv4, kBfdEchoPort};

}  // namespace

BfdEngine::BfdEngine(Outside outside, std::shared_ptr<BfdReport> unclaimed)
    : outside_(std::move(outside)), table_(*this, std::move(unclaimed)) {}

void BfdEngine::Apply(std::vector<BfdWish> wishes) {
  std::set<Place> places;
  bool echo = false;
  for (const BfdWish& wish : wishes) {
    places.emplace(wish.settings.peer.address.family, wish.settings.peer.listen_port);
    echo = echo || wish.settings.parameters.echo_interval != 0;
  }
  if (echo) {
    places.insert(kEchoPlace);
  } else {
    taps_.clear();
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
  const auto sink = [this, now](const BfdDatagram& datagram) {
    if (datagram.port == kBfdEchoPort) {
      table_.ReturnEcho(datagram, now);
    } else {
      table_.Receive(datagram, now);
    }
  };
  for (const auto& [place, listener] : listeners_) {
    if (listener.receiver != nullptr && listener.receiver->fd() == fd) listener.receiver->Receive(sink);
  }
  for (const auto& [index, each] : taps_) {
    if (each.tap == nullptr || each.tap->fd() != fd) continue;
    each.tap->Receive([&, i = index](std::span<const uint8_t> datagram) { table_.ReceiveEcho(datagram, i, now); });
  }
}

void BfdEngine::TakeArrived() {
  for (const auto& [place, listener] : listeners_) {
    if (listener.receiver != nullptr) Receive(listener.receiver->fd());
  }
  for (const auto& [index, each] : taps_) {
    if (each.tap != nullptr) Receive(each.tap->fd());
  }
}

void BfdEngine::FollowInterfaces() {
  std::erase_if(taps_, [](const auto& each) {
    std::array<char, IF_NAMESIZE> name;
    return if_indextoname(static_cast<unsigned>(each.first), name.data()) == nullptr;
  });
  table_.FollowInterfaces();
}

void BfdEngine::RunDue() {
  const Nanoseconds now = Now();
  if (retry_at_ <= now) Listen();
  table_.RunDue(now);
}

void BfdEngine::Close() {
  table_.Close(Now());
  listeners_.clear();
  taps_.clear();
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

bool BfdEngine::SendEcho(uint32_t discriminator, const BfdEchoPath& path, std::span<const uint8_t> datagram) {
  Neighbor& neighbor = neighbors_[discriminator];
  if (const Nanoseconds now = Now(); neighbor.look_at <= now) {
    neighbor.look_at = now + kNeighborInterval;
    // One that the kernel has given up is still sent to: that it does not answer shows by what does not come back.
    if (const auto found = FindNeighbor(path.peer, path.interface_index)) neighbor.mac = found;
  }
  if (!neighbor.mac) return false;
  BfdEchoTap* const tap = TapOf(path.interface_index);
  return tap != nullptr && tap->Send(*neighbor.mac, datagram);
}

BfdEchoTap* BfdEngine::TapOf(int interface_index) {
  Tap& each = taps_[interface_index];
  if (each.tap != nullptr || each.retry_at > Now()) return each.tap.get();
  auto tap = std::make_unique<BfdEchoTap>();
  int error = tap->Open(interface_index);
  if (error == 0) {
    epoll_event interest{EPOLLIN, {.u64 = outside_.token_of(tap->fd())}};
    if (epoll_ctl(outside_.epoll, EPOLL_CTL_ADD, tap->fd(), &interest) != 0) error = errno;
  }
  if (error == 0) {
    each.tap = std::move(tap);
  } else {
    if (error != each.error) outside_.fail({"open a socket for BFD echo packets", error});
    each.retry_at = Now() + kRetryInterval;
  }
  each.error = error;
  return each.tap.get();
}

bool BfdEngine::ReturnsEchoes(const BfdEchoPath& path) {
  return EchoReceiver() != nullptr && Forwards(path.interface_index);
}

bool BfdEngine::ReturnEcho(const BfdDatagram& datagram) {
  const BfdReceiver* const receiver = EchoReceiver();
  return receiver != nullptr && SendBack(receiver->fd(), datagram);
}

BfdReceiver* BfdEngine::EchoReceiver() const {
  const auto found = listeners_.find(kEchoPlace);
  return found == listeners_.end() ? nullptr : found->second.receiver.get();
}

void BfdEngine::Forget(uint32_t discriminator) {
  senders_.erase(discriminator);
  neighbors_.erase(discriminator);
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
