// The packet thread: answers ARP requests and neighbour solicitations for a table of addresses, announces them, watches
// for others that claim them, and follows the interfaces as they come, go and change. It waits in epoll for its
// sockets, netlink, a timer and an eventfd, and at rest it does not wake.
//
//   JavaScript thread              compiler thread        packet thread
//   SetTable, Announce, Probe  --> TableCompiler  ------> mailbox, eventfd --> table_, ports_, monitor_ (unlocked)
//   Links                                             <-- snapshot
//   (any memory)                                      <-- Stats
//   (queue)                    <-- sink(Event)        <-- sink(Event)
//   Ask                        --> Inquirer: a thread and sockets of its own --> mailbox
//   Renew                      --> lease_until_       --> read whenever it is awake
//   SetBfdSessions             --> bfd_mail_, eventfd --> bfd_ (unlocked)
//   (any memory)                                      <-- BfdReport of each session
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "address_table.h"
#include "announce_backlog.h"
#include "announcement_queue.h"
#include "bfd_engine.h"
#include "conflict_watch.h"
#include "fd.h"
#include "inquirer.h"
#include "link_monitor.h"
#include "native_thread.h"
#include "packet_socket.h"
#include "port.h"
#include "pulse.h"
#include "stats.h"
#include "table_compiler.h"

namespace garpoon {

struct ResponderOptions {
  std::vector<std::string> exclude_interfaces{};  // names and globs
  AnnouncementSchedule schedule{};
  UnicastScope unicast = UnicastScope::kOff;  // who is told of an announcement in person, too
  FilterChoice filter = FilterChoice::kAuto;
  bool realtime = true;      // where it is permitted
  Nanoseconds deadline = 0;  // how long it goes on without being told that its owner is alive; 0: for ever
  Nanoseconds lapse = 0;     // how long the packet thread may not have run, and go on; 0: for ever
};

struct Event {
  enum class Kind : uint8_t { kInterface, kConflict, kAnswer, kLapse, kBfd, kError };
  Kind kind = Kind::kError;
  int index = 0;     // of the interface; 0 when the event is about none
  std::string name;  // of the interface
  LinkChange::Kind change{};
  Failure failure;
  std::optional<IpAddress> address;  // always of a conflict and an answer; of an error that is about one
  MacAddress mac;                    // of who claims it
  Nanoseconds duration = 0;          // of a lapse
  BfdEvent bfd;
};

// Called on the packet thread; must not block. False when the event was not taken.
using EventSink = std::function<bool(const Event&)>;

class Responder {
 public:
  // Null with `failure` set when the kernel refuses what the threads need. Works in the network namespace of the
  // calling thread, now and later. Links() is complete at once.
  [[nodiscard]] static std::unique_ptr<Responder> Start(ResponderOptions options, std::shared_ptr<Stats> stats,
                                                        EventSink sink, Failure& failure);
  // Stops the threads and waits for them, if Stop() has not.
  ~Responder();
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  // The following are for the thread that called Start(). None waits for another thread but Stop().

  // Replaces the table. A frame is answered by the old one or the new one, never by a mixture. A table that has an
  // address twice is refused with an error event. Renews, even when it is too late for Renew().
  void SetTable(std::vector<Announcement> announcements, std::vector<InterfaceSet> sets);

  // Announces these now and again, `rounds` times or as the schedule says when that is 0. Where the table of this
  // moment does not announce them they are passed over. So with Probe().
  void Announce(const std::vector<IpAddress>& addresses, uint32_t rounds = 0);

  // Asks the neighbours whether one of them holds these. An answer comes as a conflict.
  void Probe(const std::vector<IpAddress>& addresses);

  // Asks all hosts who has these, which need not be in the table, on the interfaces of the set. Whoever says so within
  // a second comes as an answer. Returns how many are asked for, from the first on: the others are too many at a time.
  size_t Ask(std::span<const IpAddress> addresses, InterfaceSet interfaces) {
    return inquirer_.Ask(addresses, std::move(interfaces));
  }

  // Tells that the caller is alive. When it has not for the deadline, the responder falls silent, and so it does when
  // the packet thread did not run itself: a lapse. False when it has: others have taken over meanwhile, so only a table
  // that was made since ends the silence.
  [[nodiscard]] bool Renew();

  // Replaces the BFD sessions: see BfdTable::Apply. Ids and peers are unique.
  void SetBfdSessions(std::vector<BfdSettings> sessions);

  // Of the sessions that were set last, in that order.
  [[nodiscard]] const std::vector<std::pair<std::string, std::shared_ptr<BfdReport>>>& BfdReports() const {
    return bfd_reports_;
  }
  // Of BFD packets that belong to none.
  [[nodiscard]] const BfdReport& BfdUnclaimed() const { return *bfd_unclaimed_; }

  [[nodiscard]] std::shared_ptr<const std::vector<LinkState>> Links() const;

  // What is counted by address, packed (address_stats.h).
  [[nodiscard]] std::vector<uint8_t> PackAddressStats() const { return compiler_.ledger().Pack(); }

  struct Status {
    Scheduling scheduling;
    std::array<SocketFilter::Form, 2> filters;  // by Protocol
    bool silent;
  };
  [[nodiscard]] Status GetStatus() const;

  // When this returns the threads are gone and the sink is not called again. Idempotent.
  void Stop();

 private:
  Responder(ResponderOptions options, std::shared_ptr<Stats> stats, EventSink sink);
  [[nodiscard]] Failure Open();
  [[nodiscard]] Failure StartThreads();
  void Post(Batch batch);
  void Wake();
  [[nodiscard]] bool IsSilent(Nanoseconds at) const { return at > lease_until_.load(std::memory_order_relaxed); }

  // All below: packet thread only.
  enum class Cause { kTable, kLink };
  void Run();
  [[nodiscard]] size_t ServeBusy();
  void Dispatch(uint64_t token);
  void TakeMail();
  void AdoptTable(std::shared_ptr<const AddressTable> table, const std::vector<IpAddress>& removed);
  void AdoptFilters(std::shared_ptr<const FilterSet> filters);
  void ExtendLease(Nanoseconds set_at);
  void LookAtLease();
  void NoticeLapse(Nanoseconds now, Nanoseconds away);
  void HandOnOrders();
  void FollowLinks();
  void Refresh(int index, Cause cause);
  void RefreshAll(Cause cause);
  void PublishLinks();
  size_t Serve(uint64_t token);
  void ReportClaims(int index);
  void ReportAnswers(const std::vector<HeardAnswer>& answers);
  [[nodiscard]] bool StepGroups();
  void SendDue();
  void ArmTimer();
  void Report(int index, const Failure& failure);
  [[nodiscard]] std::string NameOf(int index) const;
  void Emit(const Event& event);
  [[nodiscard]] Nanoseconds LeaseEnd() const;

  const ResponderOptions options_;
  const std::shared_ptr<Stats> stats_;
  const EventSink sink_;

  Fd epoll_;
  Fd wake_;
  Fd timer_;
  LinkMonitor monitor_;
  TableCompiler compiler_;
  Inquirer inquirer_;
  pthread_t thread_{};
  bool running_ = false;
  std::binary_semaphore started_{0};
  std::atomic<Scheduling> scheduling_ = Scheduling::kOrdinary;
  std::atomic<SocketFilter::Form> arp_filter_ = SocketFilter::Form::kOpen;
  std::atomic<SocketFilter::Form> ndp_filter_ = SocketFilter::Form::kOpen;
  // On CLOCK_BOOTTIME. Written by Renew() while it lies ahead, and by the packet thread when it adopts a table, or has
  // not run: then it is 0.
  std::atomic<Nanoseconds> lease_until_ = kNever;
  std::atomic<bool> stop_ = false;

  std::vector<std::pair<std::string, std::shared_ptr<BfdReport>>> bfd_reports_;  // of the thread that called Start()
  const std::shared_ptr<BfdReport> bfd_unclaimed_ = std::make_shared<BfdReport>();

  mutable std::mutex mutex_;  // over the three that follow
  std::vector<Batch> mailbox_;
  std::optional<std::vector<BfdWish>> bfd_mail_;
  std::shared_ptr<const std::vector<LinkState>> snapshot_;

  std::shared_ptr<const AddressTable> table_;
  std::shared_ptr<const FilterSet> filters_;
  UnicastTargets targets_;
  AnnounceBacklog backlog_;
  bool silent_ = false;  // the lease had run out when it was last looked at
  Pulse pulse_;
  Nanoseconds beat_at_ = 0;                     // when the thread is to wake for nothing but its pulse
  Nanoseconds lapsed_at_ = 0;                   // when it ran again after the last lapse, on CLOCK_BOOTTIME
  std::map<int, std::unique_ptr<Port>> ports_;  // by interface index
  std::set<uint64_t> busy_;                     // tokens of the sockets that are looked at every so often
  std::vector<MacAddress> own_macs_;            // ascending
  std::map<int, Failure> reported_;             // by interface index: the failure that was reported last
  Nanoseconds retry_at_ = kNever;               // when to try again what failed
  Nanoseconds armed_for_ = kNever;              // what the timer is set to
  SendBatch send_batch_;
  std::vector<Claim> claims_;
  ConflictWatch conflicts_;
  ConflictWatch held_conflicts_;  // on held addresses
  std::unique_ptr<BfdEngine> bfd_;
};

}  // namespace garpoon
