#include "responder.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "clock.h"

namespace garpoon {
namespace {

constexpr char kThreadName[] = "l2-responder";
constexpr size_t kEventsPerWakeup = 64;
constexpr Nanoseconds kRetryInterval = 5000 * kMillisecond;
// Between two looks at sockets that are busy, unless the last one found this many frames.
constexpr Nanoseconds kBusyPause = 50000;
constexpr size_t kManyFrames = 32;
// Between two looks at the sockets: about a millisecond.
constexpr size_t kOrdersPerTurn = 1024;
constexpr int kSendTurns = 4;

// An epoll token is a source in the upper half and an interface index in the lower; of BFD, a descriptor.
enum class Source : uint32_t { kWake, kTimer, kNetlink, kArp, kNdp, kBfd };

constexpr uint64_t Token(Source source, int index = 0) {
  return uint64_t{static_cast<uint32_t>(source)} << 32 | static_cast<uint32_t>(index);
}
constexpr Source SourceOf(uint64_t token) { return static_cast<Source>(token >> 32); }
constexpr int IndexOf(uint64_t token) { return static_cast<int>(token & 0xffffffff); }

// Resets an eventfd or timerfd.
void Drain(int fd) {
  uint64_t count;
  while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

void Pause(Nanoseconds duration) {
  const timespec pause{0, static_cast<long>(duration)};
  nanosleep(&pause, nullptr);
}

}  // namespace

std::unique_ptr<Responder> Responder::Start(ResponderOptions options, std::shared_ptr<Stats> stats, EventSink sink,
                                            Failure& failure) {
  std::unique_ptr<Responder> responder(new Responder(std::move(options), std::move(stats), std::move(sink)));
  failure = responder->Open();
  if (failure.error == 0) failure = responder->StartThreads();
  return failure.error == 0 ? std::move(responder) : nullptr;
}

Responder::Responder(ResponderOptions options, std::shared_ptr<Stats> stats, EventSink sink)
    : options_(std::move(options)),
      stats_(std::move(stats)),
      sink_(std::move(sink)),
      compiler_({.filter = options_.filter,
                 .unicast = options_.unicast,
                 .sink = [this](Batch batch) { Post(std::move(batch)); }}),
      inquirer_({.questions_per_second = options_.schedule.frames_per_second,
                 .burst = options_.schedule.burst,
                 .links = [this] { return Links(); },
                 .sink =
                     [this](std::vector<HeardAnswer> answers, const Failure& failed) {
                       Batch batch;
                       batch.answers = std::move(answers);
                       if (failed.error != 0) batch.failures.push_back({failed, std::nullopt});
                       Post(std::move(batch));
                     }}),
      table_(std::make_shared<AddressTable>()),
      filters_(OpenFilters()),
      pulse_(options_.lapse) {
  if (options_.deadline != 0) lease_until_ = NowWithSuspend() + options_.deadline;
}

Responder::~Responder() { Stop(); }

void Responder::SetTable(std::vector<Announcement> announcements, std::vector<InterfaceSet> sets) {
  compiler_.Submit({Order::Table{std::move(announcements), std::move(sets), NowWithSuspend()}, {}});
}

void Responder::Announce(const std::vector<IpAddress>& addresses, uint32_t rounds) {
  Order order;
  order.announce.reserve(addresses.size());
  for (const IpAddress& address : addresses) {
    order.announce.push_back({address, AnnounceOrder::Kind::kAnnounce, rounds});
  }
  compiler_.Submit(std::move(order));
}

void Responder::Probe(const std::vector<IpAddress>& addresses) {
  Order order;
  order.announce.reserve(addresses.size());
  for (const IpAddress& address : addresses) order.announce.push_back({address, AnnounceOrder::Kind::kProbe});
  compiler_.Submit(std::move(order));
}

bool Responder::Renew() {
  const Nanoseconds now = NowWithSuspend();
  Nanoseconds until = lease_until_.load(std::memory_order_relaxed);
  // The packet thread may extend or end it meanwhile.
  while (now <= until) {
    if (options_.deadline == 0) return true;
    if (lease_until_.compare_exchange_weak(until, std::max(until, now + options_.deadline))) return true;
  }
  Wake();  // so that the silence is counted, though nobody may have asked for anything
  return false;
}

void Responder::SetBfdSessions(std::vector<BfdSettings> sessions) {
  std::map<std::string, std::shared_ptr<BfdReport>> former(bfd_reports_.begin(), bfd_reports_.end());
  bfd_reports_.clear();
  std::vector<BfdWish> wishes;
  wishes.reserve(sessions.size());
  for (BfdSettings& settings : sessions) {
    auto& report = former[settings.id];
    if (report == nullptr) {
      report = std::make_shared<BfdReport>();
      report->Set(BfdField::kState, static_cast<uint64_t>(BfdState::kDown));
      report->Set(BfdField::kRemoteState, static_cast<uint64_t>(BfdState::kDown));
    }
    bfd_reports_.emplace_back(settings.id, report);
    wishes.push_back({std::move(settings), report});
  }
  {
    const std::lock_guard lock(mutex_);
    bfd_mail_ = std::move(wishes);
  }
  Wake();
}

std::shared_ptr<const std::vector<LinkState>> Responder::Links() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

Responder::Status Responder::GetStatus() const {
  return {scheduling_, {arp_filter_, ndp_filter_}, IsSilent(NowWithSuspend())};
}

void Responder::Stop() {
  compiler_.Stop();
  inquirer_.Stop();
  if (!running_) return;
  stop_ = true;
  Wake();
  pthread_join(thread_, nullptr);
  running_ = false;
  compiler_.FreeDiscarded();
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
  const auto tell = [this](const BfdEvent& bfd) {
    Event event;
    event.kind = Event::Kind::kBfd;
    event.bfd = bfd;
    Emit(event);
  };
  const auto fail = [this](const Failure& failure) {
    stats_->Add(Counter::kSocketFailures);
    Event event;
    event.failure = failure;
    Emit(event);
  };
  const auto token_of = [](int fd) { return Token(Source::kBfd, fd); };
  bfd_ = std::make_unique<BfdEngine>(BfdEngine::Outside{epoll_.get(), token_of, tell, fail}, bfd_unclaimed_);
  return {};
}

Failure Responder::StartThreads() {
  const auto run = [this] {
    scheduling_ = RunPromptly(options_.realtime);
    started_.release();
    Run();
  };
  const Failure failure = StartThread(kThreadName, run, thread_);
  if (failure.error != 0) return failure;
  running_ = true;
  started_.acquire();
  return compiler_.Start();
}

void Responder::Post(Batch batch) {
  {
    const std::lock_guard lock(mutex_);
    mailbox_.push_back(std::move(batch));
  }
  Wake();
}

void Responder::Wake() {
  // Fails only when the counter is about to overflow, and then the thread is awake anyway.
  const uint64_t one = 1;
  while (write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Responder::Run() {
  std::array<epoll_event, kEventsPerWakeup> events;
  bool more_groups = false;
  size_t busy_frames = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    const bool rest = !more_groups && busy_.empty() && backlog_.empty();
    if (!busy_.empty() && busy_frames < kManyFrames) Pause(kBusyPause);
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), rest ? -1 : 0);
    stats_->Add(Counter::kWakeups);
    LookAtLease();
    for (int i = 0; i < count; i++) Dispatch(events[static_cast<size_t>(i)].data.u64);
    bfd_->RunDue();
    busy_frames = ServeBusy();
    more_groups = StepGroups();
    HandOnOrders();
    SendDue();
    ArmTimer();
  }
  bfd_->Close();
  ports_.clear();
}

// Returns how many frames it has found.
size_t Responder::ServeBusy() {
  size_t frames = 0;
  for (auto each = busy_.begin(); each != busy_.end();) frames += Serve(*each++);
  return frames;
}

void Responder::Dispatch(uint64_t token) {
  switch (SourceOf(token)) {
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
    case Source::kNdp:
      Serve(token);
      break;
    case Source::kBfd:
      bfd_->Receive(IndexOf(token));
      break;
  }
}

void Responder::TakeMail() {
  std::vector<Batch> mail;
  std::optional<std::vector<BfdWish>> bfd_mail;
  {
    const std::lock_guard lock(mutex_);
    mail.swap(mailbox_);
    bfd_mail.swap(bfd_mail_);
  }
  if (bfd_mail) bfd_->Apply(*std::move(bfd_mail));
  for (Batch& batch : mail) {
    for (const auto& [failure, address] : batch.failures) {
      Event event;
      event.failure = failure;
      event.address = address;
      Emit(event);
    }
    ReportAnswers(batch.answers);
    // The table first: what the filter lets through in between is judged by it.
    if (batch.table != nullptr) {
      AdoptTable(std::move(batch.table), batch.removed);
      ExtendLease(batch.set_at);
      LookAtLease();
    }
    if (batch.filters != nullptr) AdoptFilters(std::move(batch.filters));
    if (batch.targets) {
      targets_ = *std::move(batch.targets);
      for (const auto& [index, port] : ports_) port->SetUnicastTargets(targets_[index]);
    }
    if (!silent_) backlog_.Add(std::move(batch.announce));
  }
}

void Responder::HandOnOrders() {
  backlog_.Take(kOrdersPerTurn, [this](const AnnounceOrder& order, int interface_index) {
    const Announcement* found = table_->Find(order.address);
    if (found == nullptr) return;
    for (const auto& [index, port] : ports_) {
      if (interface_index != AnnounceBacklog::kEveryInterface && interface_index != index) continue;
      if (order.kind == AnnounceOrder::Kind::kProbe) {
        port->Probe(*found);
      } else if (order.rounds == 0) {
        port->Announce(*found);
      } else {
        port->Announce(*found, order.rounds);
      }
    }
  });
}

void Responder::AdoptTable(std::shared_ptr<const AddressTable> table, const std::vector<IpAddress>& removed) {
  // No frame is served between here and the end, so each sees one whole table and ports that agree with it.
  table_.swap(table);
  RefreshAll(Cause::kTable);
  for (const auto& [index, port] : ports_) {
    for (const IpAddress& address : removed) port->Forget(address);
  }
  stats_->Add(Counter::kTableSwaps);
  compiler_.Discard(std::move(table));
}

void Responder::AdoptFilters(std::shared_ptr<const FilterSet> filters) {
  filters_ = std::move(filters);
  arp_filter_ = (*filters_)[0].form;
  ndp_filter_ = (*filters_)[1].form;
  std::vector<int> failed;
  for (const auto& [index, port] : ports_) {
    const auto failure = port->SetFilters(*filters_);
    if (!failure) continue;
    Report(index, *failure);
    failed.push_back(index);
  }
  for (const int index : failed) Refresh(index, Cause::kLink);
}

void Responder::ExtendLease(Nanoseconds set_at) {
  // It was made before the lapse, by one who did not know of it.
  if (set_at <= lapsed_at_) return;
  const Nanoseconds extended = options_.deadline == 0 ? kNever : set_at + options_.deadline;
  Nanoseconds until = lease_until_.load(std::memory_order_relaxed);
  while (extended > until && !lease_until_.compare_exchange_weak(until, extended)) {
  }
}

// To be called before anything is sent: the process may have been stopped, or its control plane hung, for long.
void Responder::LookAtLease() {
  if (options_.deadline == 0 && options_.lapse == 0) return;
  const Nanoseconds now = NowWithSuspend();
  if (const Nanoseconds away = pulse_.Beat(now)) NoticeLapse(now, away);
  const bool silent = IsSilent(now);
  if (silent && !silent_) {
    stats_->Add(Counter::kSilences);
    for (const auto& [index, port] : ports_) port->ForgetAll();
    backlog_.Clear();
  }
  silent_ = silent;
  bfd_->Hold(silent);
}

// Others may have taken over meanwhile.
void Responder::NoticeLapse(Nanoseconds now, Nanoseconds away) {
  lapsed_at_ = now;
  lease_until_ = 0;
  stats_->Add(Counter::kLapses);
  Event event;
  event.kind = Event::Kind::kLapse;
  event.duration = away;
  Emit(event);
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
  bfd_->FollowInterfaces();
  std::set<int> affected;
  std::set<int> ipv6_up;
  for (const LinkChange& change : changes) {
    affected.insert(change.index);
    // What a parent can do decides what its children may.
    for (const int child : monitor_.table().ChildrenOf(change.index)) affected.insert(child);
    if (change.kind == LinkChange::Kind::kIpv6Up) ipv6_up.insert(change.index);
    const auto port = ports_.find(change.index);
    if (port == ports_.end()) continue;
    // An index may be used again, by another interface of the same name: what was open on the old one is dead.
    if (change.kind == LinkChange::Kind::kRemoved) ports_.erase(port);
    // It may be up again by now.
    if (change.kind == LinkChange::Kind::kDown) port->second->Interrupt();
  }
  for (const int index : affected) Refresh(index, Cause::kLink);
  for (const int index : ipv6_up) {
    if (const auto port = ports_.find(index); port != ports_.end()) port->second->RejoinGroups();
  }
  for (const LinkChange& change : changes) {
    if (*Name(change.kind) == '\0') continue;
    Event event;
    event.kind = Event::Kind::kInterface;
    event.index = change.index;
    event.name = change.name;
    event.change = change.kind;
    Emit(event);
  }
}

// Makes the port of one interface what the table and the interface's state ask for.
void Responder::Refresh(int index, Cause cause) {
  LookAtLease();  // to open sockets on many interfaces takes long, and is no lapse
  const Link* link = monitor_.table().Find(index);
  const auto& exclude = options_.exclude_interfaces;
  const Ineligible reason = link == nullptr ? Ineligible::kDown : WhyIneligible(*link, exclude);
  // The sockets of an interface that is switched off are kept: to open them again would take longer than all the rest.
  const bool kept = link != nullptr && reason == Ineligible::kDown && ports_.contains(index);
  PortWants wants;
  if (reason == Ineligible::kNone || kept) {
    wants = WantsOf(*table_, *link, monitor_.table().EligibleParent(*link, exclude));
  }
  if (wants.nothing()) {
    ports_.erase(index);
    reported_.erase(index);
    return;
  }
  auto& port = ports_[index];
  const bool created = port == nullptr;
  if (created) {
    const Port::Poll poll{epoll_.get(), {Token(Source::kArp, index), Token(Source::kNdp, index)}};
    AnnouncementSchedule schedule = options_.schedule;
    schedule.seed += static_cast<uint64_t>(index);
    const auto retire = [this](std::unique_ptr<PacketSocket> socket) { compiler_.Discard(std::move(socket)); };
    port = std::make_unique<Port>(index, poll, schedule, *stats_, retire);
    port->SetUnicastTargets(targets_[index]);
  }
  const Port::Change change = port->Configure(*link, std::move(wants), *filters_);
  if (change.failure) {
    Report(index, *change.failure);
  } else {
    reported_.erase(index);
  }
  // What a new table brings is announced on request. What the interface brings is known here alone.
  const bool restored = change.restored && !(created && cause == Cause::kTable);
  const bool regrouped = change.regrouped && cause == Cause::kLink;
  if (regrouped) port->Retain(*table_);
  if (silent_ || (!restored && !regrouped)) return;
  std::vector<AnnounceOrder> orders;
  orders.reserve(table_->announcements().size());
  for (const Announcement& announcement : table_->announcements()) orders.push_back({announcement.address});
  backlog_.Replace(index, std::move(orders));
}

void Responder::RefreshAll(Cause cause) {
  for (const auto& [index, link] : monitor_.table().links()) {
    Refresh(index, cause);
    bfd_->RunDue();  // to open a packet socket takes the kernel some milliseconds
  }
}

void Responder::PublishLinks() {
  auto links = std::make_shared<std::vector<LinkState>>();
  own_macs_.clear();
  for (const auto& [index, link] : monitor_.table().links()) {
    const Ineligible ineligible = WhyIneligible(link, options_.exclude_interfaces);
    links->push_back(
        {link, ineligible, WhyOnlyByName(link, monitor_.table().EligibleParent(link, options_.exclude_interfaces))});
    if (link.ethernet) own_macs_.push_back(link.mac);
  }
  std::ranges::sort(own_macs_, {}, &MacAddress::bytes);
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(links);
}

// Returns how many frames it has found.
size_t Responder::Serve(uint64_t token) {
  const int index = IndexOf(token);
  const auto port = ports_.find(index);
  if (port == ports_.end()) {
    busy_.erase(token);
    return 0;
  }
  const Protocol protocol = SourceOf(token) == Source::kArp ? Protocol::kArp : Protocol::kNdp;
  const std::function<bool()> is_silent_now = [this] {
    LookAtLease();
    return silent_;
  };
  const Port::Context context{*table_, own_macs_, silent_, is_silent_now, Now()};
  claims_.clear();
  const auto [frames, busy, failure] = port->second->Serve(protocol, context, send_batch_, claims_);
  if (busy) {
    busy_.insert(token);
  } else {
    busy_.erase(token);
  }
  if (!claims_.empty()) ReportClaims(index);
  if (failure) Report(index, *failure);
  return frames;
}

void Responder::ReportClaims(int index) {
  const Nanoseconds now = Now();
  for (const auto& [address, mac] : claims_) {
    // What answers a probe is not to be drowned by a storm of claims on other addresses.
    const Announcement* announcement = table_->Find(address);
    const bool held = announcement != nullptr && announcement->held;
    if (!(held ? held_conflicts_ : conflicts_).Admit(address, mac, index, now)) {
      stats_->Add(Counter::kConflictsSuppressed);
      continue;
    }
    stats_->Add(Counter::kConflictsReported);
    Event event;
    event.kind = Event::Kind::kConflict;
    event.index = index;
    event.name = NameOf(index);
    event.address = address;
    event.mac = mac;
    Emit(event);
  }
}

void Responder::ReportAnswers(const std::vector<HeardAnswer>& answers) {
  for (const auto& [address, mac, index] : answers) {
    Event event;
    event.kind = Event::Kind::kAnswer;
    event.index = index;
    event.name = NameOf(index);
    event.address = address;
    event.mac = mac;
    Emit(event);
  }
}

bool Responder::StepGroups() {
  bool more = false;
  for (const auto& [index, port] : ports_) {
    const Port::GroupStep step = port->StepGroups();
    more = more || step.more;
    if (step.again) retry_at_ = std::min(retry_at_, Now() + kRetryInterval);
    if (!step.failure) continue;
    Event event;
    event.index = index;
    event.name = NameOf(index);
    event.failure = *step.failure;
    Emit(event);
  }
  return more;
}

void Responder::SendDue() {
  for (const auto& [index, port] : ports_) {
    for (int turn = 0; turn < kSendTurns && port->Deadline() <= Now(); turn++) {
      LookAtLease();
      port->SendDue(Now(), *table_, send_batch_);
    }
  }
}

void Responder::ArmTimer() {
  if (options_.lapse != 0 && beat_at_ <= Now()) beat_at_ = Now() + pulse_.Interval();
  Nanoseconds next = std::min({retry_at_, bfd_->Deadline(), LeaseEnd(), options_.lapse == 0 ? kNever : beat_at_});
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

// When BFD has to be told of the silence: it may not be awake for anything else.
Nanoseconds Responder::LeaseEnd() const {
  if (options_.deadline == 0 || silent_ || !bfd_->HasTied()) return kNever;
  const Nanoseconds until = lease_until_.load(std::memory_order_relaxed);
  const Nanoseconds now = NowWithSuspend();
  // Rounded up: a timer that is set anew each time costs more than a late one.
  return (Now() + (until > now ? until - now : 0)) / kMillisecond * kMillisecond + 2 * kMillisecond;
}

// Counts a failure, has it tried again later, and tells JavaScript unless it was told the same before.
void Responder::Report(int index, const Failure& failure) {
  stats_->Add(Counter::kSocketFailures);
  retry_at_ = std::min(retry_at_, Now() + kRetryInterval);
  const auto [reported, first] = reported_.try_emplace(index, failure);
  if (!first && reported->second == failure) return;
  reported->second = failure;
  Event event;
  event.index = index;
  event.name = NameOf(index);
  event.failure = failure;
  Emit(event);
}

std::string Responder::NameOf(int index) const {
  const Link* link = monitor_.table().Find(index);
  return link == nullptr ? "" : link->name;
}

void Responder::Emit(const Event& event) {
  if (!sink_(event)) stats_->Add(Counter::kEventsDropped);
}

}  // namespace garpoon
