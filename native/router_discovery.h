// Finds the routers at the other end of links by their router advertisements, and sends some itself: a router takes a
// connection from nobody whose advertisements it has not heard (unnumbered BGP, over link-local addresses).
//
// One raw ICMPv6 socket, which needs CAP_NET_RAW, and no thread: whoever owns it calls Receive() when the descriptor is
// readable and SendDue() when that said. It keeps the interfaces by name, and looks each name up again when it sends.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "address.h"
#include "failure.h"
#include "fd.h"
#include "nanoseconds.h"
#include "router_message.h"

namespace garpoon {

struct RouterEvent {
  int index = 0;      // of the interface; 0 when there is none of that name
  std::string name;   // of the interface
  IpAddress address;  // of a router that has not been heard before; unspecified when something fails
  Failure failure;    // told once, when it starts; what failed is tried again
};

struct HeardRouter {
  std::string name;
  int index = 0;
  IpAddress address;
  Nanoseconds heard_at = 0;
};

class RouterDiscovery {
 public:
  using Sink = std::function<void(const RouterEvent&)>;

  // `interval` is how long after an advertisement the next one follows at the latest, and three quarters of it how long
  // at the least (RFC 4861 section 6.2.1).
  RouterDiscovery(Nanoseconds interval, uint32_t seed) : interval_(interval), random_(seed) {}

  // 0 or an errno.
  [[nodiscard]] int Open();
  [[nodiscard]] int fd() const { return fd_.get(); }

  // Replaces the interfaces. All of them, those that it has already too, are looked up and told of us soon: also to be
  // called when one has come, or come up.
  void SetInterfaces(const std::vector<std::string>& names, Nanoseconds now);

  // Reads what has come, a bounded number of messages: more leave the descriptor readable.
  void Receive(Nanoseconds now, const Sink& sink);

  // Sends what is due, and returns when to call it next; kNever: not before SetInterfaces() or Receive().
  [[nodiscard]] Nanoseconds SendDue(Nanoseconds now, const Sink& sink);

  // By interface, the one heard last first.
  [[nodiscard]] std::vector<HeardRouter> Heard() const;

 private:
  struct Router {
    IpAddress address;
    Nanoseconds at = 0;
  };

  struct Link {
    std::string name;
    int index = 0;
    Nanoseconds advertise_at = 0;
    Nanoseconds quiet_until = 0;  // no advertisement before, whoever asks
    Nanoseconds solicit_at = 0;
    int solicitations = 0;      // to be sent
    std::vector<Router> heard;  // at most kMaxRouters, by when they were heard, the last one first
    Failure failure;            // that was told
  };

  void Hear(Link& link, const IpAddress& source, Nanoseconds now, const Sink& sink);
  [[nodiscard]] Failure LookUp(Link& link, Nanoseconds now);
  // Unless one of the links is that interface.
  void Leave(int index) const;
  [[nodiscard]] Failure Send(Link& link, Nanoseconds now);
  [[nodiscard]] Failure SendTo(const Link& link, const IpAddress& source, const IpAddress& group,
                               std::span<const uint8_t> message) const;

  const Nanoseconds interval_;
  std::minstd_rand random_;
  Fd fd_;
  std::vector<Link> links_;
};

}  // namespace garpoon
