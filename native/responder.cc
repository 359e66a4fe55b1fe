#include "responder.h"

#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

namespace garpoon {
namespace {

constexpr char kThreadName[] = "l2-responder";
constexpr size_t kEventsPerWakeup = 64;
constexpr Nanoseconds kRetryInterval = 5000 * kMillisecond;

// An epoll token is a source in the upper half and an interface index in the lower.
enum class Source : uint32_t { kWake, kTimer, kNetlink, kArp, kNdp };

constexpr uint64_t Token(Source source, int index = 0) {
  return uint64_t{static_cast<uint32_t>(source)} << 32 | static_cast<uint32_t>(index);
}

Nanoseconds Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Nanoseconds>(now.tv_sec) * 1'000'000'000 + static_cast<Nanoseconds>(now.tv_nsec);
}

// Resets an eventfd or timerfd.
void Drain(int fd) {
  uint64_t count;
  while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

}  // namespace

std::unique_ptr<Responder> Responder::Start(ResponderOptions options, std::shared_ptr<Stats> stats, EventSink sink,
                                            Failure& failure) {
  std::unique_ptr<Responder> responder(new Responder(std::move(options), std::move(stats), std::move(sink)));
  failure = responder->Open();
  if (failure.error == 0) failure = responder->StartThread();
  return failure.error == 0 ? std::move(responder) : nullptr;
}

Responder::Responder(ResponderOptions options, std::shared_ptr<Stats> stats, EventSink sink)
    : options_(std::move(options)),
      stats_(std::move(stats)),
      sink_(std::move(sink)),
      table_(std::make_unique<AddressTable>()) {}

Responder::~Responder() { Stop(); }

void Responder::SetTable(std::unique_ptr<const AddressTable> table) {
  Post([&table](Mailbox& mailbox) { mailbox.table.swap(table); });
}

void Responder::Announce(std::vector<IpAddress> addresses) {
  Post([&addresses](Mailbox& mailbox) {
    if (mailbox.announce.empty()) {
      mailbox.announce.swap(addresses);
    } else {
      mailbox.announce.insert(mailbox.announce.end(), addresses.begin(), addresses.end());
    }
  });
}

std::shared_ptr<const std::vector<LinkState>> Responder::Links() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void Responder::Stop() {
  if (!running_) return;
  Post([](Mailbox& mailbox) { mailbox.stop = true; });
  pthread_join(thread_, nullptr);
  running_ = false;
}

Failure Responder::Open() {
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return {"epoll_create1", errno};
  wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return {"eventfd", errno};
  timer_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_.valid()) return {"timerfd_create", errno};
  if (const int error = monitor_.Open()) return {"read the interfaces", error};
  const std::pair<int, Source> sources[] = {
      {wake_.get(), Source::kWake}, {timer_.get(), Source::kTimer}, {monitor_.fd(), Source::kNetlink}};
  for (const auto& [fd, source] : sources) {
    epoll_event interest{EPOLLIN, {.u64 = Token(source)}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &interest) != 0) return {"epoll_ctl", errno};
  }
  PublishLinks();
  return {};
}

Failure Responder::StartThread() {
  // The thread takes over this signal mask: the process's signals are Node's business.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto run = [](void* self) -> void* {
    static_cast<Responder*>(self)->Run();
    return nullptr;
  };
  const int error = pthread_create(&thread_, nullptr, run, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return {"pthread_create", error};
  running_ = true;
  pthread_setname_np(thread_, kThreadName);
  // An ordinary thread may wait several milliseconds for a busy CPU, and with it every client that asks.
  const sched_param priority{.sched_priority = 1};
  realtime_ = pthread_setschedparam(thread_, SCHED_FIFO, &priority) == 0;
  return {};
}

void Responder::Post(const std::function<void(Mailbox&)>& put) {
  {
    const std::lock_guard lock(mutex_);
    put(mailbox_);
  }
  // Fails only when the counter is about to overflow, and then the thread is awake anyway.
  const uint64_t one = 1;
  while (write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Responder::Run() {
  std::array<epoll_event, kEventsPerWakeup> events;
  bool more_groups = false;
  while (!stopping_) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), more_groups ? 0 : -1);
    stats_->Add(Counter::kWakeups);
    for (int i = 0; i < count; i++) Dispatch(events[static_cast<size_t>(i)].data.u64);
    more_groups = StepGroups();
    SendDue();
    ArmTimer();
  }
  ports_.clear();
}

void Responder::Dispatch(uint64_t token) {
  const int index = static_cast<int>(token & 0xffffffff);
  switch (static_cast<Source>(token >> 32)) {
    case Source::kWake:
      Drain(wake_.get());
      TakeMail();
      break;
    case Source::kTimer:
      Drain(timer_.get());
      armed_for_ = kNever;
      if (retry_at_ > Now()) break;
      retry_at_ = kNever;
      if (const int error = monitor_.Resync()) Report(0, {"read the interfaces", error});
      RefreshAll(Cause::kLink);
      break;
    case Source::kNetlink:
      FollowLinks();
      break;
    case Source::kArp:
      Serve(index, Protocol::kArp);
      break;
    case Source::kNdp:
      Serve(index, Protocol::kNdp);
      break;
  }
}

void Responder::TakeMail() {
  Mailbox mail;
  {
    const std::lock_guard lock(mutex_);
    mail = std::exchange(mailbox_, {});
  }
  stopping_ = mail.stop;
  if (stopping_) return;
  if (mail.table != nullptr) AdoptTable(std::move(mail.table));
  for (const IpAddress& address : mail.announce) {
    const Announcement* found = table_->Find(address);
    if (found == nullptr) continue;
    for (const auto& [index, port] : ports_) port->Announce(*found);
  }
}

void Responder::AdoptTable(std::unique_ptr<const AddressTable> table) {
  // No frame is served between here and the end, so each sees one whole table and ports that agree with it.
  table_ = std::move(table);
  stats_->Add(Counter::kTableSwaps);
  RefreshAll(Cause::kTable);
  for (const auto& [index, port] : ports_) port->RetainAnnouncements(*table_);
}

void Responder::FollowLinks() {
  std::vector<LinkChange> changes;
  uint64_t resyncs = 0;
  if (const int error = monitor_.Receive(changes, resyncs)) {
    Report(0, {"follow the interfaces", error});
  } else {
    reported_.erase(0);
  }
  stats_->Add(Counter::kLinkResyncs, resyncs);
  if (changes.empty()) return;
  stats_->Add(Counter::kLinkChanges, changes.size());
  PublishLinks();
  for (const LinkChange& change : changes) {
    // An index may be used again, by another interface of the same name: what was open on the old one is dead.
    if (change.kind == LinkChange::Kind::kRemoved) ports_.erase(change.index);
    Refresh(change.index, Cause::kLink);
    const auto port = ports_.find(change.index);
    if (change.kind == LinkChange::Kind::kIpv6Up && port != ports_.end()) port->second->RejoinGroups();
    if (*Name(change.kind) != '\0') Emit({Event::Kind::kInterface, change.index, change.name, change.kind, {}});
  }
}

// Makes the port of one interface what the table and the interface's state ask for.
void Responder::Refresh(int index, Cause cause) {
  const Link* link = monitor_.table().Find(index);
  const bool eligible = link != nullptr && WhyIneligible(*link, options_.exclude_interfaces) == Ineligible::kNone;
  PortWants wants = eligible ? WantsOf(*table_, *link) : PortWants{};
  if (wants.nothing()) {
    ports_.erase(index);
    reported_.erase(index);
    return;
  }
  auto& port = ports_[index];
  const bool created = port == nullptr;
  if (created) {
    const Port::Poll poll{epoll_.get(), {Token(Source::kArp, index), Token(Source::kNdp, index)}};
    port = std::make_unique<Port>(index, poll, options_.schedule, *stats_);
  }
  const Port::Change change = port->Configure(*link, std::move(wants));
  if (change.failure) {
    Report(index, *change.failure);
  } else {
    reported_.erase(index);
  }
  // What a new table brings is announced on request. What the interface brings is known here alone.
  const bool restored = change.restored && !(created && cause == Cause::kTable);
  if (!restored && !(change.regrouped && cause == Cause::kLink)) return;
  for (const Announcement& announcement : table_->announcements()) port->Announce(announcement);
}

void Responder::RefreshAll(Cause cause) {
  for (const auto& [index, link] : monitor_.table().links()) Refresh(index, cause);
}

void Responder::PublishLinks() {
  auto links = std::make_shared<std::vector<LinkState>>();
  for (const auto& [index, link] : monitor_.table().links()) {
    links->push_back({link, WhyIneligible(link, options_.exclude_interfaces)});
  }
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(links);
}

void Responder::Serve(int index, Protocol protocol) {
  const auto port = ports_.find(index);
  if (port == ports_.end()) return;
  const auto failure = port->second->Serve(protocol, *table_, receive_batch_, send_batch_);
  if (failure) Report(index, *failure);
}

bool Responder::StepGroups() {
  bool more = false;
  for (const auto& [index, port] : ports_) {
    std::optional<Failure> failure;
    more = port->StepGroups(failure) || more;
    if (failure) Emit({Event::Kind::kError, index, NameOf(index), {}, *failure});
  }
  return more;
}

void Responder::SendDue() {
  for (const auto& [index, port] : ports_) {
    while (port->Deadline() <= Now()) port->SendDue(Now(), send_batch_);
  }
}

void Responder::ArmTimer() {
  Nanoseconds next = retry_at_;
  for (const auto& [index, port] : ports_) next = std::min(next, port->Deadline());
  if (next == armed_for_) return;
  armed_for_ = next;
  // A zero time would disarm.
  const Nanoseconds at = next == kNever ? 0 : std::max<Nanoseconds>(next, 1);
  itimerspec setting{};
  setting.it_value.tv_sec = static_cast<time_t>(at / 1'000'000'000);
  setting.it_value.tv_nsec = static_cast<long>(at % 1'000'000'000);
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &setting, nullptr);
}

// Counts a failure, has it tried again later, and tells JavaScript unless it was told the same before.
void Responder::Report(int index, const Failure& failure) {
  stats_->Add(Counter::kSocketFailures);
  retry_at_ = std::min(retry_at_, Now() + kRetryInterval);
  const auto [reported, first] = reported_.try_emplace(index, failure);
  if (!first && reported->second == failure) return;
  reported->second = failure;
  Emit({Event::Kind::kError, index, NameOf(index), {}, failure});
}

std::string Responder::NameOf(int index) const {
  const Link* link = monitor_.table().Find(index);
  return link == nullptr ? "" : link->name;
}

void Responder::Emit(const Event& event) {
  if (!sink_(event)) stats_->Add(Counter::kEventsDropped);
}

}  // namespace garpoon
