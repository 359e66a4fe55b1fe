#include "table_compiler.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "clock.h"
#include "native_thread.h"

namespace garpoon {
namespace {

constexpr char kThreadName[] = "l2-compiler";
constexpr Nanoseconds kQuiet = 20 * kMillisecond;         // without another table: then a filter is worth making
constexpr Nanoseconds kLongestOpen = 100 * kMillisecond;  // and this long after the first change all the same
constexpr size_t kTargetsPerInterface = 256;
constexpr size_t kMostDiscarded = 16;

constexpr std::array kProtocols = {Protocol::kArp, Protocol::kNdp};

constexpr size_t Index(Protocol protocol) { return static_cast<size_t>(protocol); }

bool ByBytes(const IpAddress& a, const IpAddress& b) { return a.bytes < b.bytes; }

}  // namespace

Failure TableCompiler::Start() {
  const Failure failure = StartThread(
      kThreadName, [this] { Run(); }, thread_);
  running_ = failure.error == 0;
  return failure;
}

void TableCompiler::Stop() {
  if (!running_) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  pthread_join(thread_, nullptr);
  running_ = false;
}

void TableCompiler::Submit(Order order) {
  {
    const std::lock_guard lock(mutex_);
    if (!pending_) pending_.emplace();
    if (order.table) std::swap(pending_->table, order.table);
    Append(pending_->announce, std::move(order.announce));
  }
  wake_.notify_one();
}

void TableCompiler::Discard(std::shared_ptr<const void> rubbish) {
  {
    const std::lock_guard lock(mutex_);
    discarded_.push_back(std::move(rubbish));
  }
  wake_.notify_one();
}

void TableCompiler::FreeDiscarded() {
  const std::lock_guard lock(mutex_);
  discarded_.clear();
}

void TableCompiler::Run() {
  for (;;) {
    Order order;
    if (!Await(order)) return;
    Compile(std::move(order));
    if (Now() >= settle_at_) Settle();
  }
}

// Waits for an order, or until the filters can be settled. False when the thread is to end.
bool TableCompiler::Await(Order& order) {
  std::vector<std::shared_ptr<const void>> discarded;  // freed without the lock
  std::unique_lock lock(mutex_);
  const auto awaited = [this] { return stop_ || pending_ || !discarded_.empty(); };
  if (settle_at_ == kNever) {
    wake_.wait(lock, awaited);
  } else {
    const Nanoseconds now = Now();
    if (now < settle_at_) wake_.wait_for(lock, std::chrono::nanoseconds(settle_at_ - now), awaited);
  }
  // Orders come first, for as long as what is discarded does not pile up.
  if (!pending_ || discarded_.size() > kMostDiscarded) discarded.swap(discarded_);
  if (stop_) return false;
  if (pending_) order = *std::exchange(pending_, std::nullopt);
  return true;
}

void TableCompiler::Compile(Order order) {
  if (!order.table && order.announce.empty()) return;
  Batch batch;
  if (order.table) TakeTable(*std::move(order.table), batch);
  batch.announce = std::move(order.announce);
  if (options_.unicast != UnicastScope::kOff && !batch.announce.empty()) {
    // What is withdrawn must not wait for the kernel's neighbours.
    if (batch.table != nullptr) {
      Batch urgent = std::move(batch);
      batch = {};
      batch.announce = std::exchange(urgent.announce, {});
      options_.sink(std::move(urgent));
    }
    UnicastTargets targets;
    const int error = ReadUnicastTargets(options_.unicast, kTargetsPerInterface, targets);
    if (error == 0) batch.targets = std::move(targets);
    if (error != 0) failures_.push_back({{"read the neighbours", error}, std::nullopt});
  }
  batch.failures = std::exchange(failures_, {});
  options_.sink(std::move(batch));
}

void TableCompiler::TakeTable(Order::Table table, Batch& batch) {
  std::array<Addresses, 2> wanted;
  for (const Announcement& announcement : table.announcements) {
    wanted[announcement.address.family == Family::kIpv4 ? 0 : 1].push_back(announcement.address);
  }
  for (Addresses& addresses : wanted) std::ranges::sort(addresses, ByBytes);
  PackedFault fault;
  auto compiled = AddressTable::Create(std::move(table.announcements), std::move(table.sets), fault);
  if (compiled == nullptr) {
    failures_.push_back({{"take a table that has an address twice", EEXIST}, fault.announcement.address});
    return;
  }
  batch.set_at = table.set_at;
  for (const Protocol protocol : kProtocols) {
    std::ranges::set_difference(wanted_[Index(protocol)], wanted[Index(protocol)], std::back_inserter(batch.removed),
                                ByBytes);
  }
  wanted_ = std::move(wanted);
  compiled->CountIn(ledger_.StatsFor(compiled->announcements()));
  batch.table = std::move(compiled);
  ledger_.Publish(batch.table, batch.removed);

  bool covered = filters_ != nullptr;
  for (const Protocol protocol : kProtocols) {
    covered = covered && std::ranges::includes(filtered_[Index(protocol)], wanted_[Index(protocol)], ByBytes);
  }
  if (!covered) {
    batch.filters = OpenFilters();
    filters_ = nullptr;
  }
  if (covered && filtered_ == wanted_) {
    settle_at_ = unsettled_since_ = kNever;
  } else {
    const Nanoseconds now = Now();
    if (unsettled_since_ == kNever) unsettled_since_ = now;
    settle_at_ = std::min(now + kQuiet, unsettled_since_ + kLongestOpen);
  }
}

void TableCompiler::Settle() {
  settle_at_ = unsettled_since_ = kNever;
  auto filters = std::make_shared<FilterSet>();
  for (const Protocol protocol : kProtocols) (*filters)[Index(protocol)] = PreciseFilter(protocol);
  filters_ = filters;
  filtered_ = wanted_;
  Batch batch;
  batch.filters = std::move(filters);
  batch.failures = std::exchange(failures_, {});
  options_.sink(std::move(batch));
}

SocketFilter TableCompiler::PreciseFilter(Protocol protocol) {
  using Form = SocketFilter::Form;
  const auto classic = [&] {
    SocketFilter filter;
    filter.program = AttachableProgram(protocol);
    filter.form = filter.program.form == FilterForm::kExact ? Form::kExact : Form::kRanges;
    return filter;
  };
  if (options_.filter == FilterChoice::kMap) {
    auto map = FilledMap(protocol);
    return map != nullptr ? SocketFilter{Form::kMap, {}, std::move(map)} : classic();
  }
  SocketFilter filter = classic();
  if (filter.form == Form::kExact || options_.filter == FilterChoice::kClassic) {
    maps_[Index(protocol)] = nullptr;  // its memory is worth more than the time to make another
    return filter;
  }
  auto map = FilledMap(protocol);
  return map != nullptr ? SocketFilter{Form::kMap, {}, std::move(map)} : filter;
}

// Kernels before 6.8 bound the memory of a socket's filters more tightly than their instructions. While one filter
// replaces another the socket holds both, so there must be room for two of these.
FilterProgram TableCompiler::AttachableProgram(Protocol protocol) {
  if (!trial_.valid()) trial_ = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (;;) {
    SocketFilter filter;
    filter.program = BuildFilter(protocol, wanted_[Index(protocol)], program_limit_);
    const size_t smaller = program_limit_ - program_limit_ / 4;
    int error = Attach(trial_.get(), protocol, filter);
    if (error == 0) error = Attach(trial_.get(), protocol, filter);
    if (error != ENOMEM || smaller < kMinFilterLimit) return filter.program;
    program_limit_ = smaller;
  }
}

// Null when there is none to be had.
std::shared_ptr<KernelAddressSet> TableCompiler::FilledMap(Protocol protocol) {
  auto& map = maps_[Index(protocol)];
  if (map_refused_[Index(protocol)]) return nullptr;
  int error = 0;
  // A second try with a new map: one that is to hold other addresses holds both for a moment, and that may be too many.
  for (int attempt = 0; attempt < 2; attempt++) {
    if (map == nullptr) map = KernelAddressSet::Create(protocol, error);
    if (map != nullptr) error = map->Assign(wanted_[Index(protocol)]);
    if (error == 0) return map;
    map = nullptr;
    if (error == EPERM || error == EACCES) break;
  }
  // Without the capability it stays so.
  map_refused_[Index(protocol)] = error == EPERM || error == EACCES;
  if (!map_refused_[Index(protocol)]) failures_.push_back({{"fill the filter's map", error}, std::nullopt});
  return nullptr;
}

}  // namespace garpoon
