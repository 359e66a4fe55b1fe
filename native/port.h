// One interface this node announces on: its sockets, its group memberships, what it still has to announce.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "address_stats.h"
#include "address_table.h"
#include "announcement_queue.h"
#include "answer.h"
#include "failure.h"
#include "filter_set.h"
#include "group_membership.h"
#include "link.h"
#include "load_gauge.h"
#include "packet_socket.h"
#include "stats.h"

namespace garpoon {

// What the table asks of one interface.
struct PortWants {
  std::vector<uint8_t> announces;  // by interface set: 1 when the interface belongs to it
  bool ipv4 = false;
  bool ipv6 = false;
  std::vector<uint32_t> suffixes;  // of solicited-node groups, ascending, each once

  [[nodiscard]] bool nothing() const { return !ipv4 && !ipv6; }
};

// Of an eligible interface and its eligible parent, if it has one (link.h). All wants are empty when no address is
// announced on it.
[[nodiscard]] PortWants WantsOf(const AddressTable& table, const Link& link, const Link* parent);

// Packet thread only.
class Port {
 public:
  // Where the sockets are waited for, and what epoll hands back with their events.
  struct Poll {
    int epoll;
    std::array<uint64_t, 2> tokens;  // by Protocol
  };

  // To close a socket takes the kernel many milliseconds, so that is left to whoever `retire` gives it to.
  using Retire = std::function<void(std::unique_ptr<PacketSocket>)>;

  Port(int interface_index, const Poll& poll, const AnnouncementSchedule& schedule, Stats& stats, Retire retire);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  struct Change {
    bool restored = false;   // works again or for the first time, or has a new MAC address: neighbours must be told
    bool regrouped = false;  // belongs to other interface sets than before, if the table is the same
    std::optional<Failure> failure;
  };
  // Opens and closes sockets as wanted. To be called again after a failure.
  [[nodiscard]] Change Configure(const Link& link, PortWants wants, const FilterSet& filters);

  // The interface was down, if only for a moment: the next Configure() tells the neighbours anew.
  void Interrupt();

  // Puts other filters on the open sockets. After a failure Configure() is to be called.
  [[nodiscard]] std::optional<Failure> SetFilters(const FilterSet& filters);

  struct Context {
    const AddressTable& table;
    std::span<const MacAddress> own_macs;  // of all interfaces, ascending
    bool silent;                           // nothing is answered
    // The same anew, before every batch that goes out: the process may have been stopped while it was made.
    const std::function<bool()>& is_silent_now;
    Nanoseconds now;
  };
  struct Served {
    size_t frames = 0;
    // So many frames come that the socket is no longer waited for: Serve() is to be called every so often instead.
    bool busy = false;
    std::optional<Failure> failure;  // which has closed the socket
  };
  // Answers what waits on the socket, a bounded number of frames. Appends the foreign claims that were in them.
  [[nodiscard]] Served Serve(Protocol protocol, const Context& context, SendBatch& out, std::vector<Claim>& claims);

  // Announces the address when it is announced on this interface and the interface works; and so do the two that
  // follow.
  void Announce(const Announcement& announcement, uint32_t rounds);
  void Announce(const Announcement& announcement);
  void Probe(const Announcement& announcement);
  // Forgets what it had to send about one address, what the table no longer asks for here, or everything.
  void Forget(const IpAddress& address) { queue_.Forget(address); }
  void Retain(const AddressTable& table);
  void ForgetAll() { queue_.Clear(); }
  void SetUnicastTargets(const std::vector<UnicastTarget>& targets) { queue_.SetUnicastTargets(targets); }
  // Sends what is due, but nothing that the table does not ask for: it may have changed since.
  void SendDue(Nanoseconds now, const AddressTable& table, SendBatch& out);
  [[nodiscard]] Nanoseconds Deadline() { return queue_.Deadline(); }

  // IPv6 may have been down and have forgotten the groups.
  void RejoinGroups();
  struct GroupStep {
    bool more = false;               // to do
    bool again = false;              // Configure() is to be called later, because some could not be joined
    std::optional<Failure> failure;  // once for each new one
  };
  // One bounded step of joining and leaving.
  [[nodiscard]] GroupStep StepGroups();

 private:
  struct Receiver {
    std::unique_ptr<PacketSocket> socket;  // null when it is not open
    LoadGauge load;
    bool waited_for = false;  // registered with epoll
  };

  [[nodiscard]] Receiver& receiver(Protocol protocol) { return receivers_[static_cast<size_t>(protocol)]; }
  [[nodiscard]] bool Announces(const Announcement& announcement) const {
    return wants_.announces[announcement.set] != 0;
  }
  // The announcement that the frame is about; null when the table does not ask for it here.
  [[nodiscard]] const Announcement* Asked(const DueAnnouncement& due, const AddressTable& table) const;
  [[nodiscard]] std::optional<Failure> SetOpen(Protocol protocol, bool open, const FilterSet& filters);
  [[nodiscard]] int SetWaitedFor(Protocol protocol, bool waited_for);
  void Close(Protocol protocol);
  [[nodiscard]] Served Fail(Protocol protocol, const Failure& failure);
  [[nodiscard]] DropReason Answer(Protocol protocol, const ReceivedFrame& frame, const Context& context, SendBatch& out,
                                  std::vector<Claim>& claims);

  const int index_;
  const Poll poll_;
  Stats& stats_;
  const Retire retire_;
  MacAddress mac_;
  PortWants wants_;
  bool ready_ = false;  // everything wanted is open, and the interface is operational
  std::array<Receiver, 2> receivers_;
  std::optional<GroupMembership> groups_;  // while the NDP socket is open
  bool groups_pending_ = false;
  bool all_multicast_ = false;
  std::optional<Failure> group_failure_;  // as reported last
  AnnouncementQueue queue_;
  std::array<AddressStats*, kBatch> batched_{};  // whom the frames of the batch are counted for, in their order
};

}  // namespace garpoon
