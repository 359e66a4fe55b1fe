// The thread between JavaScript and the packet thread: what takes long, or may wait, is done here, so that neither does
// it. It builds the address table and the socket filters, and reads the kernel's neighbours.
//
//   JavaScript thread --> Submit(Order) --> | compiler thread | --> sink(Batch) --> packet thread
//                                           | Discard(table)  | <--
//
// Filters take longer to attach than a table to swap, and only save wake-ups. So a table that has an address more goes
// out with an open filter at once, and the filter made for it follows when no other table has come for a moment.
#pragma once

#include <pthread.h>

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "address_stats.h"
#include "address_table.h"
#include "announce_backlog.h"
#include "failure.h"
#include "fd.h"
#include "filter_set.h"
#include "inquirer.h"
#include "nanoseconds.h"
#include "neighbor_table.h"

namespace garpoon {

// Whether the kernel may be asked for eBPF.
enum class FilterChoice : uint8_t {
  kAuto,     // where a classic program is not exact, if the process is allowed to
  kClassic,  // never
  kMap,      // always, if the process is allowed to
};

// What JavaScript asks for. Announcements and probes were asked for after the table.
struct Order {
  struct Table {
    std::vector<Announcement> announcements;
    std::vector<InterfaceSet> sets;
    Nanoseconds set_at = 0;  // see Responder: a table proves that its author was alive then
  };
  std::optional<Table> table;
  std::vector<AnnounceOrder> announce;
};

using UnicastTargets = std::map<int, std::vector<UnicastTarget>>;  // by interface index

// What has failed, and with which address if it is about one.
struct CompileFailure {
  Failure failure;
  std::optional<IpAddress> address;
};

// What the packet thread takes at once. What is null or empty stays as it is.
struct Batch {
  std::shared_ptr<const AddressTable> table;
  std::vector<IpAddress> removed;  // the table before it has these, and it does not
  Nanoseconds set_at = 0;
  std::shared_ptr<const FilterSet> filters;
  std::optional<UnicastTargets> targets;
  std::vector<AnnounceOrder> announce;
  std::vector<CompileFailure> failures;
  std::vector<HeardAnswer> answers;
};

class TableCompiler {
 public:
  struct Options {
    FilterChoice filter = FilterChoice::kAuto;
    UnicastScope unicast = UnicastScope::kOff;
    std::function<void(Batch)> sink;  // called on the compiler thread, and not after Stop()
  };

  explicit TableCompiler(Options options) : options_(std::move(options)) {}
  ~TableCompiler() { Stop(); }
  TableCompiler(const TableCompiler&) = delete;
  TableCompiler& operator=(const TableCompiler&) = delete;

  // In the network namespace of the calling thread.
  [[nodiscard]] Failure Start();
  // What was submitted and is not done yet is dropped. Idempotent.
  void Stop();
  // Frees what was discarded after Stop().
  void FreeDiscarded();

  // A table replaces one that is not compiled yet.
  void Submit(Order order);
  // Any thread: frees what it is given later, on the compiler thread, because that takes long; or in Stop().
  void Discard(std::shared_ptr<const void> rubbish);

  [[nodiscard]] const AddressLedger& ledger() const { return ledger_; }

 private:
  using Addresses = std::vector<IpAddress>;  // ascending, each once

  // All below: compiler thread only.
  void Run();
  [[nodiscard]] bool Await(Order& order);
  void Compile(Order order);
  void TakeTable(Order::Table table, Batch& batch);
  void Settle();
  [[nodiscard]] SocketFilter PreciseFilter(Protocol protocol);
  [[nodiscard]] FilterProgram AttachableProgram(Protocol protocol);
  [[nodiscard]] std::shared_ptr<KernelAddressSet> FilledMap(Protocol protocol);

  const Options options_;
  pthread_t thread_{};
  bool running_ = false;

  std::mutex mutex_;  // over the four that follow
  std::condition_variable wake_;
  std::optional<Order> pending_;
  std::vector<std::shared_ptr<const void>> discarded_;
  bool stop_ = false;

  AddressLedger ledger_;
  std::array<Addresses, 2> wanted_;    // of the last table, by Protocol
  std::array<Addresses, 2> filtered_;  // what the filters were made for
  std::shared_ptr<const FilterSet> filters_;
  std::array<std::shared_ptr<KernelAddressSet>, 2> maps_;
  std::array<bool, 2> map_refused_{};
  std::vector<CompileFailure> failures_;  // to be told with the next batch
  Nanoseconds settle_at_ = kNever;
  Nanoseconds unsettled_since_ = kNever;
  // How long a classic program this kernel lets a socket have, and a socket to try it on.
  size_t program_limit_ = BPF_MAXINSNS;
  Fd trial_;
};

}  // namespace garpoon
