#include "inquirer.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "arp.h"
#include "clock.h"
#include "interface_pattern.h"
#include "native_thread.h"
#include "ndp.h"

namespace garpoon {
namespace {

constexpr char kThreadName[] = "l2-inquirer";
constexpr size_t kLongestFrame = 2048;
// From one socket, before the others get their turn.
constexpr size_t kFramesPerTurn = 64;
// Small enough for kernels before 6.8, which give a socket 20 KiB for two filters.
constexpr size_t kFilterLimit = 400;

// By interface index. Empty when the kernel does not tell: then solicitations have no source.
std::map<int, IpAddress> LinkLocalAddresses() {
  std::map<int, IpAddress> found;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return found;
  for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET6) continue;
    const auto& socket_address = *reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
    if (!IN6_IS_ADDR_LINKLOCAL(&socket_address.sin6_addr)) continue;
    IpAddress address{Family::kIpv6, {}};
    std::memcpy(address.bytes.data(), &socket_address.sin6_addr, address.bytes.size());
    found.try_emplace(static_cast<int>(socket_address.sin6_scope_id), address);
  }
  freeifaddrs(all);
  return found;
}

bool IsAsked(const LinkState& state, const InterfaceSet& interfaces) {
  if (state.ineligible != Ineligible::kNone || !state.link.operational()) return false;
  return interfaces.empty() ? state.only_by_name == OnlyByName::kNone : MatchesAny(interfaces, state.link.name);
}

// What goes unanswered to a group alone, or puts nothing wrong into any cache. The sender of an ARP question is 0.0.0.0
// (RFC 5227 section 2.1.1), which is in no cache, and the answer comes to our MAC address all the same. Without a
// source a solicitation would be answered to everyone on the LAN, and change what they know; so it has one where there
// is one.
void AddQuestion(const IpAddress& address, const MacAddress& own, const IpAddress& source, SendBatch& out) {
  if (address.family == Family::kIpv4) return out.Add(BuildArpProbe(address, own));
  if (source.IsUnspecified()) return out.Add(BuildDadSolicitation(address, own));
  out.Add(BuildNeighborSolicitation(address, own, source));
}

}  // namespace

void Inquirer::Stop() {
  if (!running_) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  Wake();
  pthread_join(thread_, nullptr);
  running_ = false;
}

size_t Inquirer::Ask(std::span<const IpAddress> addresses, InterfaceSet interfaces) {
  if (!running_) {
    const Failure failure = Start();
    if (failure.error != 0) {
      options_.sink({}, failure);
      return 0;
    }
  }
  const Nanoseconds now = Now();
  Order order;
  {
    const std::lock_guard lock(mutex_);
    for (const IpAddress& address : addresses) {
      if (!inquiry_.Open(address, now)) break;
      order.addresses.push_back(address);
    }
    if (order.addresses.empty()) return 0;
    order.interfaces = std::move(interfaces);
    orders_.push_back(order);
  }
  Wake();
  return order.addresses.size();
}

Failure Inquirer::Start() {
  wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return {"eventfd", errno};
  const Failure failure = StartThread(
      kThreadName, [this] { Run(); }, thread_);
  running_ = failure.error == 0;
  return failure;
}

void Inquirer::Wake() {
  const uint64_t one = 1;
  while (write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Inquirer::Run() {
  for (;;) {
    Await();
    std::vector<Order> orders;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) break;
      inquiry_.Expire(Now());
      orders.swap(orders_);
    }
    for (const Order& order : orders) Send(order);
    CloseUnused();
  }
  listeners_.clear();
}

// Waits for orders and for the end of a question, and takes what is heard.
void Inquirer::Await() {
  std::vector<pollfd> awaited = {{wake_.get(), POLLIN, 0}};
  std::vector<Place> places;
  for (const auto& [place, listener] : listeners_) {
    awaited.push_back({listener.socket.get(), POLLIN, 0});
    places.push_back(place);
  }
  Nanoseconds deadline;
  {
    const std::lock_guard lock(mutex_);
    deadline = inquiry_.Deadline();
  }
  const Nanoseconds now = Now();
  const Nanoseconds left = deadline > now ? deadline - now : 0;
  // A millisecond late rather than early, and then again and again.
  const int timeout = deadline == kNever ? -1 : static_cast<int>(left / kMillisecond) + 1;
  if (poll(awaited.data(), awaited.size(), timeout) <= 0) return;
  uint64_t count;
  if (awaited.front().revents != 0) (void)!read(wake_.get(), &count, sizeof count);
  for (size_t i = 0; i < places.size(); i++) {
    // The interface is gone or switched off: it is listened to again when it is next asked on.
    if (awaited[i + 1].revents != 0 && Receive(places[i], listeners_[places[i]]) != 0) listeners_.erase(places[i]);
  }
  if (!heard_.empty()) options_.sink(std::exchange(heard_, {}), {});
}

void Inquirer::Send(const Order& order) {
  std::array<std::vector<IpAddress>, 2> by_protocol;
  for (const IpAddress& address : order.addresses) {
    by_protocol[address.family == Family::kIpv4 ? 0 : 1].push_back(address);
  }
  std::map<int, IpAddress> sources;
  if (!by_protocol[1].empty()) sources = LinkLocalAddresses();
  int failed = 0;
  const auto links = options_.links();
  for (const LinkState& state : *links) {
    if (!IsAsked(state, order.interfaces)) continue;
    for (const Protocol protocol : {Protocol::kArp, Protocol::kNdp}) {
      const auto& addresses = by_protocol[static_cast<size_t>(protocol)];
      if (addresses.empty()) continue;
      const auto source = sources.try_emplace(state.link.index, IpAddress{Family::kIpv6, {}}).first;
      const int error = AskOn(state.link, protocol, addresses, source->second);
      // Netlink tells of an interface that goes down, sooner or later.
      if (error != 0 && error != ENETDOWN && error != ENXIO && error != ENODEV) failed = error;
    }
  }
  if (failed != 0 && failed != told_) options_.sink({}, {"ask who has an address", failed});
  told_ = failed;
}

int Inquirer::AskOn(const Link& link, Protocol protocol, std::span<const IpAddress> addresses,
                    const IpAddress& source) {
  const Place place{link.index, protocol};
  std::vector<IpAddress> open;
  {
    const std::lock_guard lock(mutex_);
    for (const IpAddress& address : addresses) inquiry_.AskedOn(address, link.index);
    open = inquiry_.AddressesOn(link.index, protocol);
  }
  // Before anything is asked, so that no answer is missed.
  if (const int error = Listen(place, link.mac, open)) return error;
  const int fd = listeners_[place].socket.get();
  int result = 0;
  for (const IpAddress& address : addresses) {
    AddQuestion(address, link.mac, source, batch_);
    if (!batch_.full() && &address != &addresses.back()) continue;
    if (const int error = batch_.Flush(fd).error) result = error;
  }
  return result;
}

// Opens the socket if there is none yet, and lets in what is about these addresses.
int Inquirer::Listen(const Place& place, const MacAddress& mac, std::span<const IpAddress> addresses) {
  const auto& [interface_index, protocol] = place;
  SocketFilter filter;
  filter.program = BuildFilter(protocol, addresses, kFilterLimit);
  const auto found = listeners_.find(place);
  if (found != listeners_.end()) {
    found->second.mac = mac;
    return Attach(found->second.socket.get(), protocol, filter);
  }
  // With protocol 0 nothing is delivered until bind().
  Listener listener{Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), mac};
  if (!listener.socket.valid()) return errno;
  if (const int error = Attach(listener.socket.get(), protocol, filter)) return error;
  sockaddr_ll local{};
  local.sll_family = AF_PACKET;
  local.sll_protocol = htons(protocol == Protocol::kArp ? ETH_P_ARP : ETH_P_IPV6);
  local.sll_ifindex = interface_index;
  if (bind(listener.socket.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) return errno;
  listeners_.emplace(place, std::move(listener));
  return 0;
}

int Inquirer::Receive(const Place& place, const Listener& listener) {
  const auto& [interface_index, protocol] = place;
  std::array<uint8_t, kLongestFrame> buffer;
  for (size_t count = 0; count < kFramesPerTurn; count++) {
    sockaddr_ll sender{};
    socklen_t sender_size = sizeof sender;
    const ssize_t length = recvfrom(listener.socket.get(), buffer.data(), buffer.size(), MSG_TRUNC,
                                    reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno == EAGAIN ? 0 : errno;
    const auto whole = static_cast<size_t>(length);
    const std::span bytes = std::span(buffer).first(std::min(whole, buffer.size()));
    const ReceivedFrame frame{bytes, sender.sll_pkttype, whole > buffer.size()};
    const auto claim = ReadClaim(protocol, frame, listener.mac);
    if (!claim) continue;
    const std::lock_guard lock(mutex_);
    if (!inquiry_.Hear(claim->address, claim->mac, interface_index, Now())) continue;
    heard_.push_back({claim->address, claim->mac, interface_index});
  }
  return 0;
}

void Inquirer::CloseUnused() {
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [this](const auto& entry) {
    return inquiry_.AddressesOn(entry.first.first, entry.first.second).empty();
  });
}

}  // namespace garpoon
