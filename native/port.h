// One interface this node announces on: its sockets, its group memberships, what it still has to announce.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "address_table.h"
#include "announcement_queue.h"
#include "group_membership.h"
#include "link.h"
#include "packet_socket.h"
#include "stats.h"

namespace garpoon {

// What was attempted, and the errno it ended with.
struct Failure {
  const char* operation = "";
  int error = 0;
  bool operator==(const Failure&) const = default;
};

// What the table asks of one interface.
struct PortWants {
  std::vector<uint8_t> announces;  // by interface set: 1 when the interface belongs to it
  bool ipv4 = false;
  bool ipv6 = false;
  std::vector<uint32_t> suffixes;  // of solicited-node groups, ascending, each once

  [[nodiscard]] bool nothing() const { return !ipv4 && !ipv6; }
};

// Of an eligible interface; all wants are empty when no address is announced on it.
[[nodiscard]] PortWants WantsOf(const AddressTable& table, const Link& link);

// Packet thread only.
class Port {
 public:
  // Where the sockets are waited for, and what epoll hands back with their events.
  struct Poll {
    int epoll;
    std::array<uint64_t, 2> tokens;  // by Protocol
  };

  Port(int interface_index, const Poll& poll, const AnnouncementSchedule& schedule, Stats& stats);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  struct Change {
    bool restored = false;   // works again or for the first time, or has a new MAC address: neighbours must be told
    bool regrouped = false;  // belongs to other interface sets than before, if the table is the same
    std::optional<Failure> failure;
  };
  // Opens and closes sockets as wanted. To be called again after a failure.
  [[nodiscard]] Change Configure(const Link& link, PortWants wants);

  // Answers what waits on the socket, a bounded number of frames. A failure has closed the socket.
  [[nodiscard]] std::optional<Failure> Serve(Protocol protocol, const AddressTable& table, ReceiveBatch& in,
                                             SendBatch& out);

  // Announces the address when it is announced on this interface and the interface works.
  void Announce(const Announcement& announcement);
  // Forgets announcements that the table no longer asks for.
  void RetainAnnouncements(const AddressTable& table);
  void SendDue(Nanoseconds now, SendBatch& out);
  [[nodiscard]] Nanoseconds Deadline() { return queue_.Deadline(); }

  // IPv6 may have been down and have forgotten the groups.
  void RejoinGroups();
  // One bounded step of joining and leaving. True while there is more to do; `failure` is set once per new failure.
  [[nodiscard]] bool StepGroups(std::optional<Failure>& failure);

 private:
  [[nodiscard]] PacketSocket& socket(Protocol protocol) { return sockets_[static_cast<size_t>(protocol)]; }
  [[nodiscard]] bool Announces(const Announcement& announcement) const {
    return wants_.announces[announcement.set] != 0;
  }
  [[nodiscard]] std::optional<Failure> SetOpen(Protocol protocol, bool open);
  void Close(Protocol protocol);
  [[nodiscard]] DropReason Answer(Protocol protocol, const ReceivedFrame& frame, const AddressTable& table,
                                  SendBatch& out) const;

  const int index_;
  const Poll poll_;
  Stats& stats_;
  MacAddress mac_;
  PortWants wants_;
  bool ready_ = false;  // everything wanted is open, and the interface is operational
  std::array<PacketSocket, 2> sockets_;
  std::optional<GroupMembership> groups_;  // while the NDP socket is open
  bool groups_pending_ = false;
  bool all_multicast_ = false;
  std::optional<Failure> group_failure_;  // as reported last
  AnnouncementQueue queue_;
};

}  // namespace garpoon
