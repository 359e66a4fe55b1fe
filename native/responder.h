// The packet thread: answers ARP requests and neighbour solicitations for a table of addresses, announces them, and
// follows the interfaces as they come, go and change. It waits in epoll for its sockets, netlink, a timer and an
// eventfd, and at rest it does not wake.
//
//   JavaScript thread                         packet thread
//   SetTable, Announce --> mailbox, eventfd --> table_, ports_, monitor_ (its own, unlocked)
//   Links              <-- snapshot        <--
//   (any memory)       <-- Stats           <--
//   (queue)            <-- sink(Event)     <--
#pragma once

#include <pthread.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "address_table.h"
#include "announcement_queue.h"
#include "fd.h"
#include "link_monitor.h"
#include "packet_socket.h"
#include "port.h"
#include "stats.h"

namespace garpoon {

struct ResponderOptions {
  std::vector<std::string> exclude_interfaces;  // names and globs
  AnnouncementSchedule schedule;
};

struct Event {
  enum class Kind : uint8_t { kInterface, kError };
  Kind kind;
  int index;         // of the interface; 0 when the event is about none
  std::string name;  // of the interface
  LinkChange::Kind change;
  Failure failure;
};

// Called on the packet thread; must not block. False when the event was not taken.
using EventSink = std::function<bool(const Event&)>;

struct LinkState {
  Link link;
  Ineligible ineligible;
};

class Responder {
 public:
  // Null with `failure` set when the kernel refuses what the thread needs. Works in the network namespace of the
  // calling thread, now and later. Links() is complete at once.
  [[nodiscard]] static std::unique_ptr<Responder> Start(ResponderOptions options, std::shared_ptr<Stats> stats,
                                                        EventSink sink, Failure& failure);
  // Stops the thread and waits for it, if Stop() has not.
  ~Responder();
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  // The following are for the thread that called Start(). None waits for the packet thread but Stop().

  // Replaces the table. A frame is answered by the old one or the new one, never by a mixture.
  void SetTable(std::unique_ptr<const AddressTable> table);

  // Announces these now and again, where the table of this moment announces them; the others are passed over.
  void Announce(std::vector<IpAddress> addresses);

  [[nodiscard]] std::shared_ptr<const std::vector<LinkState>> Links() const;

  // Whether the thread runs before ordinary ones (SCHED_FIFO), which takes CAP_SYS_NICE.
  [[nodiscard]] bool realtime() const { return realtime_; }

  // When this returns the thread is gone and the sink is not called again. Idempotent.
  void Stop();

 private:
  // What the other thread has for the packet thread. An announcement in the mailbox was asked for after its table.
  struct Mailbox {
    std::unique_ptr<const AddressTable> table;
    std::vector<IpAddress> announce;
    bool stop = false;
  };

  Responder(ResponderOptions options, std::shared_ptr<Stats> stats, EventSink sink);
  [[nodiscard]] Failure Open();
  [[nodiscard]] Failure StartThread();
  // `put` runs under the lock that the packet thread may wait for: it frees nothing large.
  void Post(const std::function<void(Mailbox&)>& put);

  // All below: packet thread only.
  enum class Cause { kTable, kLink };
  void Run();
  void Dispatch(uint64_t token);
  void TakeMail();
  void AdoptTable(std::unique_ptr<const AddressTable> table);
  void FollowLinks();
  void Refresh(int index, Cause cause);
  void RefreshAll(Cause cause);
  void PublishLinks();
  void Serve(int index, Protocol protocol);
  [[nodiscard]] bool StepGroups();
  void SendDue();
  void ArmTimer();
  void Report(int index, const Failure& failure);
  [[nodiscard]] std::string NameOf(int index) const;
  void Emit(const Event& event);

  const ResponderOptions options_;
  const std::shared_ptr<Stats> stats_;
  const EventSink sink_;

  Fd epoll_;
  Fd wake_;
  Fd timer_;
  LinkMonitor monitor_;
  pthread_t thread_{};
  bool running_ = false;
  bool realtime_ = false;

  mutable std::mutex mutex_;  // over the two that follow
  Mailbox mailbox_;
  std::shared_ptr<const std::vector<LinkState>> snapshot_;

  bool stopping_ = false;
  std::unique_ptr<const AddressTable> table_;
  std::map<int, std::unique_ptr<Port>> ports_;  // by interface index
  std::map<int, Failure> reported_;             // by interface index: the failure that was reported last
  Nanoseconds retry_at_ = kNever;               // when to try again what failed
  Nanoseconds armed_for_ = kNever;              // what the timer is set to
  ReceiveBatch receive_batch_;
  SendBatch send_batch_;
};

}  // namespace garpoon
