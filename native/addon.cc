// What JavaScript sees of the responder. Only the files called addon* include napi.h, and everything in them runs on
// the JavaScript thread but EventChannel::Post.
//
// open() makes a handle; the other functions take it as their first argument. Everything that comes from JavaScript
// is read and checked completely before anything is done with it: reading may run JavaScript, which may close the
// handle, and whatever is wrong must end in an exception, never in an abort.

#include <napi.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "addon_parts.h"
#include "addon_values.h"
#include "address_table.h"
#include "bfd_packed.h"
#include "interface_pattern.h"
#include "responder.h"
#include "stats.h"

namespace garpoon {
namespace {

constexpr size_t kMaxQueuedEvents = 1024;
constexpr size_t kMaxPatterns = 4096;  // in one list
constexpr double kMaxRounds = 100;
constexpr double kMinInterval = 10;  // milliseconds
constexpr double kMaxInterval = 60'000;
constexpr double kMaxRate = 1'000'000;  // frames a second
constexpr double kMaxBurst = 65'536;    // frames
constexpr double kDay = 86'400'000;     // milliseconds

constexpr napi_type_tag kHandleTag = {0x6761'7270'6f6f'6e01, 0x9d0c'3c1f'52b4'e7a6};

// Events from the packet thread to one JavaScript function, through a bounded queue. Does not keep the event loop
// alive.
class EventChannel {
 public:
  // False with an exception pending.
  [[nodiscard]] bool Open(Napi::Env env, Napi::Function callback) {
    const auto name = Napi::String::New(env, "garpoon responder");
    const napi_status status = napi_create_threadsafe_function(env, callback, nullptr, name, kMaxQueuedEvents, 1,
                                                               nullptr, nullptr, nullptr, Deliver, &function_);
    if (status != napi_ok) {
      Napi::Error::New(env, "create the event queue").ThrowAsJavaScriptException();
      return false;
    }
    napi_unref_threadsafe_function(env, function_);
    return true;
  }

  // Packet thread only.
  bool Post(const Event& event) {
    if (closed_) return false;
    auto copy = std::make_unique<Event>(event);
    const napi_status status = napi_call_threadsafe_function(function_, copy.get(), napi_tsfn_nonblocking);
    if (status == napi_ok) copy.release();  // Deliver deletes it
    // The environment is going away and has taken the function with it: it must not be touched again.
    if (status == napi_closing) closed_ = true;
    return status == napi_ok;
  }

  // Once, when the packet thread is gone.
  void Release() {
    if (!closed_) napi_release_threadsafe_function(function_, napi_tsfn_abort);
    closed_ = true;
  }

 private:
  // `env` is null when the environment is going away: then only the event is to be freed.
  static void Deliver(napi_env env, napi_value callback, void*, void* data) {
    const std::unique_ptr<Event> event(static_cast<Event*>(data));
    if (env == nullptr || callback == nullptr) return;
    const Napi::HandleScope scope(env);
    napi_value argument = ToJavaScript(env, *event);
    napi_value receiver = nullptr;
    napi_get_undefined(env, &receiver);
    // The plain function: the wrapper's Call aborts when JavaScript throws what is no object.
    if (napi_call_function(env, receiver, callback, 1, &argument, nullptr) != napi_pending_exception) return;
    napi_value thrown = nullptr;
    if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
  }

  static Napi::Value ToJavaScript(Napi::Env env, const Event& event) {
    auto result = Napi::Object::New(env);
    if (event.index != 0) {
      result["name"] = event.name;
      result["index"] = event.index;
    }
    if (event.address) result["address"] = Format(*event.address);
    switch (event.kind) {
      case Event::Kind::kInterface:
        result["type"] = "interface";
        result["change"] = Name(event.change);
        break;
      case Event::Kind::kConflict:
        result["type"] = "conflict";
        result["mac"] = Format(event.mac);
        break;
      case Event::Kind::kAnswer:
        result["type"] = "answer";
        result["mac"] = Format(event.mac);
        break;
      case Event::Kind::kLapse:
        result["type"] = "lapse";
        result["milliseconds"] = static_cast<double>(event.duration / kMillisecond);
        break;
      case Event::Kind::kBfd:
        result["type"] = "bfd";
        result["id"] = event.bfd.id;
        result["state"] = Name(event.bfd.state);
        result["diagnostic"] = Name(event.bfd.diagnostic);
        result["remoteState"] = Name(event.bfd.remote_state);
        result["remoteDiagnostic"] = Name(event.bfd.remote_diagnostic);
        result["at"] = static_cast<double>(event.bfd.at) / static_cast<double>(kMillisecond);
        break;
      case Event::Kind::kError:
        result["type"] = "error";
        result["operation"] = event.failure.operation;
        result["errno"] = event.failure.error;
        break;
    }
    return result;
  }

  napi_threadsafe_function function_ = nullptr;
  bool closed_ = false;  // written by the packet thread, and by the JavaScript thread when that is gone
};

// What a handle stands for. Owned by the handle, which frees it when it is collected or its environment ends.
struct Session {
  Napi::Env env;
  EventChannel events;
  std::unique_ptr<Responder> responder;  // null when closed
  std::vector<InterfaceSet> sets;        // of the last table

  static void AtExit(void* self) { static_cast<Session*>(self)->Stop(); }

  void Close() {
    if (responder == nullptr) return;
    napi_remove_env_cleanup_hook(env, AtExit, this);
    Stop();
  }

  void Stop() {
    if (responder == nullptr) return;
    responder.reset();
    events.Release();
  }
};

// Null with an exception pending.
Session* OpenSession(const Napi::CallbackInfo& info) {
  bool tagged = false;
  void* data = nullptr;
  if (info[0].IsObject()) napi_check_object_type_tag(info.Env(), info[0], &kHandleTag, &tagged);
  if (!tagged || napi_unwrap(info.Env(), info[0], &data) != napi_ok) {
    ThrowType(info.Env(), "not a responder");
    return nullptr;
  }
  auto* session = static_cast<Session*>(data);
  if (session->responder == nullptr) {
    ThrowType(info.Env(), "the responder is closed");
    return nullptr;
  }
  return session;
}

// The readers below return nothing with an exception pending.

std::optional<InterfaceSet> ReadPatterns(Napi::Env env, const Napi::Value& value, const char* what) {
  if (!value.IsArray()) return ThrowType(env, std::string(what) + ": not an array"), std::nullopt;
  const auto array = value.As<Napi::Array>();
  const uint32_t length = array.Length();
  if (length > kMaxPatterns) return ThrowRange(env, std::string(what) + ": too many"), std::nullopt;
  InterfaceSet patterns;
  for (uint32_t i = 0; i < length; i++) {
    const Napi::Value element = array.Get(i);
    if (env.IsExceptionPending()) return std::nullopt;
    if (!element.IsString()) return ThrowType(env, std::string(what) + ": not a string"), std::nullopt;
    std::string pattern = element.As<Napi::String>().Utf8Value();
    if (!IsInterfacePattern(pattern)) {
      return ThrowRange(env, std::string(what) + ": \"" + pattern + "\" cannot be an interface's name"), std::nullopt;
    }
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

std::optional<std::vector<InterfaceSet>> ReadSets(Napi::Env env, const Napi::Value& value) {
  if (!value.IsArray()) return ThrowType(env, "interface sets: not an array"), std::nullopt;
  const auto array = value.As<Napi::Array>();
  const uint32_t length = array.Length();
  if (length > kMaxInterfaceSets) return ThrowRange(env, "interface sets: too many"), std::nullopt;
  std::vector<InterfaceSet> sets;
  for (uint32_t i = 0; i < length; i++) {
    const Napi::Value element = array.Get(i);
    if (env.IsExceptionPending()) return std::nullopt;
    auto patterns = ReadPatterns(env, element, "interfaces");
    if (!patterns) return std::nullopt;
    sets.push_back(*std::move(patterns));
  }
  return sets;
}

void ThrowFault(Napi::Env env, const PackedFault& fault) {
  const std::string entry = "announcement " + std::to_string(fault.entry) + ": ";
  const std::string address = Format(fault.announcement.address);
  switch (fault.kind) {
    case PackedFault::Kind::kNone:
      return;
    case PackedFault::Kind::kLength:
      return ThrowRange(env, "announcements: the length is not a multiple of " + std::to_string(kPackedSize));
    case PackedFault::Kind::kTooMany:
      return ThrowRange(env, "announcements: more than " + std::to_string(kMaxAnnouncements));
    case PackedFault::Kind::kFamily:
      return ThrowRange(env, entry + "the family is neither 4 nor 6");
    case PackedFault::Kind::kPadding:
      return ThrowRange(env, entry + "a byte that must be zero is not");
    case PackedFault::Kind::kAddress:
      return ThrowRange(env, entry + address + " is not an address that a host can hold");
    case PackedFault::Kind::kSet:
      return ThrowRange(env, entry + "there is no interface set " + std::to_string(fault.announcement.set));
    case PackedFault::Kind::kDuplicate:
      return ThrowRange(env, entry + address + " comes twice");
  }
}

std::optional<std::vector<Announcement>> ReadPacked(Napi::Env env, const Napi::Value& value, size_t set_count) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    return ThrowType(env, "announcements: not a Uint8Array"), std::nullopt;
  }
  const auto array = value.As<Napi::Uint8Array>();
  std::vector<Announcement> announcements;
  const PackedFault fault = ParsePacked({array.Data(), array.ByteLength()}, set_count, announcements);
  if (fault.kind != PackedFault::Kind::kNone) return ThrowFault(env, fault), std::nullopt;
  return announcements;
}

// The counters' memory lives as long as the array or the responder, whichever is longer.
Napi::Value CounterArray(Napi::Env env, std::shared_ptr<Stats> stats) {
  void* const words = stats->words();
  auto* const share = new std::shared_ptr<Stats>(std::move(stats));
  const auto release = [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Stats>*>(hint); };
  napi_value buffer = nullptr;
  const size_t size = kCounterCount * sizeof(uint64_t);
  if (napi_create_external_arraybuffer(env, words, size, release, share, &buffer) != napi_ok) {
    delete share;
    Napi::Error::New(env, "this Node.js has no external array buffers").ThrowAsJavaScriptException();
    return {};
  }
  return Napi::BigUint64Array::New(env, kCounterCount, Napi::ArrayBuffer(env, buffer), 0);
}

std::optional<bool> ReadFlag(Napi::Env env, const Napi::Value& value, const char* what) {
  if (!value.IsBoolean()) return ThrowType(env, std::string(what) + ": not a boolean"), std::nullopt;
  return value.As<Napi::Boolean>().Value();
}

// One of the names in the table, as the value beside it.
template <typename T, size_t kSize>
std::optional<T> ReadChoice(Napi::Env env, const Napi::Value& value, const std::pair<const char*, T> (&choices)[kSize],
                            const char* what) {
  if (!value.IsString()) return ThrowType(env, std::string(what) + ": not a string"), std::nullopt;
  const std::string text = value.As<Napi::String>().Utf8Value();
  for (const auto& [name, choice] : choices) {
    if (text == name) return choice;
  }
  return ThrowRange(env, std::string(what) + ": unknown: \"" + text + "\""), std::nullopt;
}

Nanoseconds FromMilliseconds(double milliseconds) {
  return static_cast<Nanoseconds>(milliseconds * static_cast<double>(kMillisecond));
}

std::optional<ResponderOptions> ReadOptions(Napi::Env env, const Napi::Value& value) {
  if (!value.IsObject()) return ThrowType(env, "options: not an object"), std::nullopt;
  const auto object = value.As<Napi::Object>();
  // Once JavaScript has thrown, nothing more is asked of it.
  const auto get = [&](const char* name) -> Napi::Value {
    return env.IsExceptionPending() ? env.Undefined() : object.Get(name);
  };
  // Also false where nothing is pending: in an environment that is being torn down nothing can be read, nor thrown.
  bool complete = true;
  const auto number = [&](const char* name, double least, double most) {
    const auto read = ReadNumber(env, get(name), least, most, name);
    complete = complete && read.has_value();
    return read.value_or(0);
  };
  constexpr std::pair<const char*, UnicastScope> kScopes[] = {
      {"off", UnicastScope::kOff}, {"gateways", UnicastScope::kGateways}, {"neighbors", UnicastScope::kNeighbors}};
  constexpr std::pair<const char*, FilterChoice> kFilters[] = {
      {"auto", FilterChoice::kAuto}, {"classic", FilterChoice::kClassic}, {"map", FilterChoice::kMap}};

  ResponderOptions options;
  options.exclude_interfaces =
      ReadPatterns(env, get("excludeInterfaces"), "excludeInterfaces").value_or(InterfaceSet{});
  options.schedule.rounds = static_cast<uint32_t>(number("rounds", 1, kMaxRounds));
  options.schedule.interval = FromMilliseconds(number("interval", kMinInterval, kMaxInterval));
  options.schedule.frames_per_second = static_cast<uint32_t>(number("rate", 1, kMaxRate));
  options.schedule.burst = static_cast<uint32_t>(number("burst", 1, kMaxBurst));
  options.schedule.refresh = FromMilliseconds(number("refresh", 0, kDay));
  options.schedule.seed = static_cast<uint64_t>(number("seed", 0, 0x1p53));
  options.unicast = ReadChoice(env, get("unicast"), kScopes, "unicast").value_or(UnicastScope::kOff);
  options.filter = ReadChoice(env, get("filter"), kFilters, "filter").value_or(FilterChoice::kAuto);
  options.realtime = ReadFlag(env, get("realtime"), "realtime").value_or(false);
  options.deadline = FromMilliseconds(number("deadline", 0, kDay));
  options.lapse = FromMilliseconds(number("lapse", 0, kDay));
  if (!complete || env.IsExceptionPending()) return std::nullopt;
  return options;
}

// open(options: {...}, onEvent: (event) => void): handle. The options are those of ReadOptions, all of them.
Napi::Value Open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto options = ReadOptions(env, info[0]);
  if (!options) return {};
  if (!info[1].IsFunction()) return ThrowType(env, "onEvent: not a function"), Napi::Value();

  auto stats = std::make_shared<Stats>();
  auto handle = Napi::Object::New(env);
  handle["counters"] = CounterArray(env, stats);
  if (env.IsExceptionPending()) return {};
  auto session = std::make_unique<Session>(Session{env, {}, nullptr, {}});
  if (!session->events.Open(env, info[1].As<Napi::Function>())) return {};

  const auto sink = [events = &session->events](const Event& event) { return events->Post(event); };
  Failure failure;
  session->responder = Responder::Start(*std::move(options), std::move(stats), sink, failure);
  if (session->responder == nullptr) {
    session->events.Release();
    return ThrowFailure(env, failure), Napi::Value();
  }

  const auto collect = [](napi_env, void* data, void*) {
    const std::unique_ptr<Session> owned(static_cast<Session*>(data));
    owned->Close();
  };
  if (napi_type_tag_object(env, handle, &kHandleTag) != napi_ok ||
      napi_wrap(env, handle, session.get(), collect, nullptr, nullptr) != napi_ok) {
    session->Stop();
    return {};
  }
  // After the event queue's own hook, and so run before it.
  napi_add_env_cleanup_hook(env, Session::AtExit, session.get());
  session.release();
  return handle;
}

// setAnnouncements(handle, packed: Uint8Array, interfaceSets: string[][]): void
void SetAnnouncements(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto sets = ReadSets(env, info[2]);
  if (!sets) return;
  auto announcements = ReadPacked(env, info[1], sets->size());
  if (!announcements) return;
  Session* const session = OpenSession(info);
  if (session == nullptr) return;
  session->sets = *sets;
  session->responder->SetTable(*std::move(announcements), *std::move(sets));
}

// The addresses of packed announcements, every entry of interface set 0.
std::optional<std::vector<IpAddress>> ReadAddresses(Napi::Env env, const Napi::Value& value) {
  const auto announcements = ReadPacked(env, value, 1);
  if (!announcements) return std::nullopt;
  std::vector<IpAddress> addresses;
  addresses.reserve(announcements->size());
  for (const Announcement& announcement : *announcements) addresses.push_back(announcement.address);
  return addresses;
}

// announce(handle, packed: Uint8Array, rounds: number /* 0: as the options say */): void
void Announce(const Napi::CallbackInfo& info) {
  const auto addresses = ReadAddresses(info.Env(), info[1]);
  if (!addresses) return;
  const auto rounds = ReadNumber(info.Env(), info[2], 0, kMaxRounds, "rounds");
  if (!rounds) return;
  Session* const session = OpenSession(info);
  if (session != nullptr) session->responder->Announce(*addresses, static_cast<uint32_t>(*rounds));
}

// probe(handle, packed: Uint8Array): void
void Probe(const Napi::CallbackInfo& info) {
  auto addresses = ReadAddresses(info.Env(), info[1]);
  if (!addresses) return;
  Session* const session = OpenSession(info);
  if (session != nullptr) session->responder->Probe(*addresses);
}

// ask(handle, packed: Uint8Array, interfaces: string[]): number, how many are asked for, from the first on
Napi::Value Ask(const Napi::CallbackInfo& info) {
  const auto addresses = ReadAddresses(info.Env(), info[1]);
  if (!addresses) return {};
  auto interfaces = ReadPatterns(info.Env(), info[2], "interfaces");
  if (!interfaces) return {};
  Session* const session = OpenSession(info);
  if (session == nullptr) return {};
  const size_t asked = session->responder->Ask(*addresses, *std::move(interfaces));
  return Napi::Number::New(info.Env(), static_cast<double>(asked));
}

// addressCounters(handle): Uint8Array, as in address_stats.h
Napi::Value AddressCounters(const Napi::CallbackInfo& info) {
  Session* const session = OpenSession(info);
  if (session == nullptr) return {};
  const std::vector<uint8_t> packed = session->responder->PackAddressStats();
  auto result = Napi::Uint8Array::New(info.Env(), packed.size());
  if (info.Env().IsExceptionPending()) return {};
  std::ranges::copy(packed, result.Data());
  return result;
}

// setBfdSessions(handle, packed: Uint8Array): void
void SetBfdSessions(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    return ThrowType(env, "BFD sessions: not a Uint8Array");
  }
  const auto array = info[1].As<Napi::Uint8Array>();
  std::vector<BfdSettings> sessions;
  const BfdPackedFault fault = ParsePackedBfd({array.Data(), array.ByteLength()}, sessions);
  if (fault.what != nullptr) {
    return ThrowRange(env, "BFD session " + std::to_string(fault.entry) + ": " + fault.what);
  }
  Session* const session = OpenSession(info);
  if (session != nullptr) session->responder->SetBfdSessions(std::move(sessions));
}

Napi::Value ReportToJavaScript(Napi::Env env, const BfdReport& report) {
  auto result = Napi::Object::New(env);
  for (size_t i = 0; i < kBfdFieldNames.size(); i++) {
    result[kBfdFieldNames[i]] = static_cast<double>(report.Get(static_cast<BfdField>(i)));
  }
  result["state"] = Name(static_cast<BfdState>(report.Get(BfdField::kState)));
  result["diagnostic"] = Name(static_cast<BfdDiagnostic>(report.Get(BfdField::kDiagnostic)));
  result["remoteState"] = Name(static_cast<BfdState>(report.Get(BfdField::kRemoteState)));
  result["remoteDiagnostic"] = Name(static_cast<BfdDiagnostic>(report.Get(BfdField::kRemoteDiagnostic)));
  result["echoState"] = Name(static_cast<BfdEchoState>(report.Get(BfdField::kEchoState)));
  return result;
}

// bfdSessions(handle): {sessions: {id, and every BfdField}[], unclaimed: every BfdField}
Napi::Value BfdSessions(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Session* const session = OpenSession(info);
  if (session == nullptr) return {};
  auto sessions = Napi::Array::New(env);
  for (const auto& [id, report] : session->responder->BfdReports()) {
    auto entry = ReportToJavaScript(env, *report).As<Napi::Object>();
    if (env.IsExceptionPending()) return {};
    entry["id"] = id;
    sessions[sessions.Length()] = entry;
  }
  auto result = Napi::Object::New(env);
  result["sessions"] = sessions;
  result["unclaimed"] = ReportToJavaScript(env, session->responder->BfdUnclaimed());
  return result;
}

// renew(handle): boolean, false when it is too late: after the deadline, or a lapse
Napi::Value Renew(const Napi::CallbackInfo& info) {
  Session* const session = OpenSession(info);
  if (session == nullptr) return {};
  return Napi::Boolean::New(info.Env(), session->responder->Renew());
}

// status(handle): {scheduling, arpFilter, ndpFilter, silent}
Napi::Value GetStatus(const Napi::CallbackInfo& info) {
  Session* const session = OpenSession(info);
  if (session == nullptr) return {};
  const Responder::Status status = session->responder->GetStatus();
  auto result = Napi::Object::New(info.Env());
  result["scheduling"] = Name(status.scheduling);
  result["arpFilter"] = Name(status.filters[0]);
  result["ndpFilter"] = Name(status.filters[1]);
  result["silent"] = status.silent;
  return result;
}

// interfaces(handle): {index, name, mac, up, carrier, eligible, reason?, onlyByName?}[]
Napi::Value Interfaces(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Session* const session = OpenSession(info);
  if (session == nullptr) return {};
  auto result = Napi::Array::New(env);
  const auto links = session->responder->Links();
  for (const auto& [link, ineligible, only_by_name] : *links) {
    auto entry = Napi::Object::New(env);
    entry["index"] = link.index;
    entry["name"] = link.name;
    entry["mac"] = Format(link.mac);
    entry["up"] = link.up();
    entry["carrier"] = link.carrier();
    entry["eligible"] = ineligible == Ineligible::kNone;
    if (ineligible != Ineligible::kNone) entry["reason"] = Name(ineligible);
    if (ineligible == Ineligible::kNone && only_by_name != OnlyByName::kNone) {
      entry["onlyByName"] = Name(only_by_name);
    }
    result[result.Length()] = entry;
    if (env.IsExceptionPending()) return {};
  }
  return result;
}

// unresolved(handle): string[], names and globs of the last table that no interface answers to
Napi::Value Unresolved(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Session* const session = OpenSession(info);
  if (session == nullptr) return {};
  const auto links = session->responder->Links();
  const auto is_resolved = [&links](const std::string& pattern) {
    return std::any_of(links->begin(), links->end(), [&](const LinkState& state) {
      return MatchesAny({&pattern, 1}, state.link.name);
    });
  };
  std::set<std::string> unresolved;
  for (const InterfaceSet& set : session->sets) {
    std::ranges::remove_copy_if(set, std::inserter(unresolved, unresolved.end()), is_resolved);
  }
  auto result = Napi::Array::New(env);
  for (const std::string& pattern : unresolved) {
    result[result.Length()] = Napi::String::New(env, pattern);
    if (env.IsExceptionPending()) return {};
  }
  return result;
}

// close(handle): void, idempotent
void Close(const Napi::CallbackInfo& info) {
  bool tagged = false;
  void* data = nullptr;
  if (info[0].IsObject()) napi_check_object_type_tag(info.Env(), info[0], &kHandleTag, &tagged);
  if (!tagged || napi_unwrap(info.Env(), info[0], &data) != napi_ok) return ThrowType(info.Env(), "not a responder");
  static_cast<Session*>(data)->Close();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto names = Napi::Array::New(env, kCounterCount);
  for (uint32_t i = 0; i < kCounterCount; i++) names[i] = Napi::String::New(env, kCounterNames[i]);
  exports["counterNames"] = names;
  auto drops = Napi::Array::New(env, kBfdDropNames.size());
  for (uint32_t i = 0; i < kBfdDropNames.size(); i++) drops[i] = Napi::String::New(env, kBfdDropNames[i]);
  exports["bfdDropNames"] = drops;
  auto echo_drops = Napi::Array::New(env, kBfdEchoDropNames.size());
  for (uint32_t i = 0; i < kBfdEchoDropNames.size(); i++) {
    echo_drops[i] = Napi::String::New(env, kBfdEchoDropNames[i]);
  }
  exports["bfdEchoDropNames"] = echo_drops;
  exports["open"] = Napi::Function::New(env, Open, "open");
  exports["setAnnouncements"] = Napi::Function::New(env, SetAnnouncements, "setAnnouncements");
  exports["announce"] = Napi::Function::New(env, Announce, "announce");
  exports["probe"] = Napi::Function::New(env, Probe, "probe");
  exports["ask"] = Napi::Function::New(env, Ask, "ask");
  exports["addressCounters"] = Napi::Function::New(env, AddressCounters, "addressCounters");
  exports["setBfdSessions"] = Napi::Function::New(env, SetBfdSessions, "setBfdSessions");
  exports["bfdSessions"] = Napi::Function::New(env, BfdSessions, "bfdSessions");
  exports["renew"] = Napi::Function::New(env, Renew, "renew");
  exports["status"] = Napi::Function::New(env, GetStatus, "status");
  exports["interfaces"] = Napi::Function::New(env, Interfaces, "interfaces");
  exports["unresolved"] = Napi::Function::New(env, Unresolved, "unresolved");
  exports["close"] = Napi::Function::New(env, Close, "close");
  AddTcp(env, exports);
  AddRouterDiscovery(env, exports);
  return exports;
}

}  // namespace
}  // namespace garpoon

// At file scope: the macro defines C functions.
static Napi::Object InitModule(Napi::Env env, Napi::Object exports) { return garpoon::Init(env, exports); }
NODE_API_MODULE(garpoon, InitModule)
