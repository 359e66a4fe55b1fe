// The discovery of routers, as JavaScript sees it: on the event loop, since it has little to do and nobody waits for
// it.

#include <napi.h>
#include <uv.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon_loop.h"
#include "addon_parts.h"
#include "addon_values.h"
#include "clock.h"
#include "interface_pattern.h"
#include "router_discovery.h"

namespace garpoon {
namespace {

constexpr uint32_t kMaxInterfaces = 256;
constexpr double kMinInterval = 4'000;  // milliseconds; RFC 4861 section 6.2.1, as the next
constexpr double kMaxInterval = 1'800'000;

class DiscoveryLoop : public LoopResident {
 public:
  DiscoveryLoop(std::unique_ptr<RouterDiscovery> discovery, Napi::FunctionReference on_event)
      : discovery_(std::move(discovery)), on_event_(std::move(on_event)) {}

  void SetInterfaces(const std::vector<std::string>& names) {
    if (discovery_ == nullptr) return;
    discovery_->SetInterfaces(names, Now());
    // Not from here: JavaScript is not called back from its own call.
    uv_timer_start(&timer_, OnTimer, 0, 0);
  }

  [[nodiscard]] std::vector<HeardRouter> Heard() const {
    return discovery_ == nullptr ? std::vector<HeardRouter>() : discovery_->Heard();
  }

 private:
  bool OpenHandles(uv_loop_t* loop) override {
    uv_timer_init(loop, &timer_);
    Adopt(timer_);
    uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
    if (uv_poll_init(loop, &poll_, discovery_->fd()) != 0) return false;
    Adopt(poll_);
    uv_unref(reinterpret_cast<uv_handle_t*>(&poll_));
    return uv_poll_start(&poll_, UV_READABLE, OnReadable) == 0;
  }

  static void OnReadable(uv_poll_t* poll, int status, int) {
    auto* const self = static_cast<DiscoveryLoop*>(static_cast<LoopResident*>(poll->data));
    // The loop gives a descriptor up that has an error; what Receive() reads takes the error away.
    if (status < 0) uv_poll_start(poll, UV_READABLE, OnReadable);
    self->Run(true);
  }

  static void OnTimer(uv_timer_t* timer) {
    static_cast<DiscoveryLoop*>(static_cast<LoopResident*>(timer->data))->Run(false);
  }

  void Release() override {
    on_event_.Reset();
    discovery_.reset();
  }

  void Run(bool readable) {
    // First all of the work, then JavaScript, which may close this or change its interfaces.
    std::vector<RouterEvent> events;
    const auto sink = [&events](const RouterEvent& event) { events.push_back(event); };
    if (readable) discovery_->Receive(Now(), sink);
    const Nanoseconds now = Now();
    const Nanoseconds next = discovery_->SendDue(now, sink);
    if (next == kNever) {
      uv_timer_stop(&timer_);
    } else {
      uv_timer_start(&timer_, OnTimer, next <= now ? 1 : (next - now) / kMillisecond + 1, 0);
    }
    for (const RouterEvent& event : events) {
      if (discovery_ == nullptr) return;
      Tell(event);
    }
  }

  void Tell(const RouterEvent& event) {
    const Napi::Env environment = env();
    const Napi::HandleScope scope(environment);
    auto result = Napi::Object::New(environment);
    result["name"] = event.name;
    if (event.index != 0) result["index"] = event.index;
    if (event.failure.error != 0) {
      result["type"] = "error";
      result["operation"] = event.failure.operation;
      result["errno"] = event.failure.error;
    } else {
      result["type"] = "router";
      result["address"] = Format(event.address);
    }
    const napi_value argument = result;
    napi_value receiver = nullptr;
    napi_get_global(environment, &receiver);
    const napi_status status =
        napi_make_callback(environment, nullptr, receiver, on_event_.Value(), 1, &argument, nullptr);
    napi_value thrown = nullptr;
    if (status == napi_pending_exception && napi_get_and_clear_last_exception(environment, &thrown) == napi_ok) {
      napi_fatal_exception(environment, thrown);
    }
  }

  std::unique_ptr<RouterDiscovery> discovery_;  // null when closed
  Napi::FunctionReference on_event_;
  uv_poll_t poll_{};
  uv_timer_t timer_{};
};

// Nothing with an exception pending.
std::optional<std::vector<std::string>> ReadNames(Napi::Env env, const Napi::Value& value) {
  if (!value.IsArray()) return ThrowType(env, "interfaces: not an array"), std::nullopt;
  const auto array = value.As<Napi::Array>();
  const uint32_t length = array.Length();
  if (length > kMaxInterfaces) return ThrowRange(env, "interfaces: too many"), std::nullopt;
  std::vector<std::string> names;
  for (uint32_t i = 0; i < length; i++) {
    const Napi::Value element = array.Get(i);
    if (env.IsExceptionPending()) return std::nullopt;
    if (!element.IsString()) return ThrowType(env, "interfaces: not a string"), std::nullopt;
    std::string name = element.As<Napi::String>().Utf8Value();
    if (name.size() > 15 || !IsInterfacePattern(name)) {
      return ThrowRange(env, "interfaces: \"" + name + "\" cannot be an interface's name"), std::nullopt;
    }
    names.push_back(std::move(name));
  }
  return names;
}

Napi::Value HeardToJavaScript(Napi::Env env, const std::vector<HeardRouter>& heard) {
  auto result = Napi::Array::New(env);
  const Nanoseconds now = Now();
  for (const HeardRouter& router : heard) {
    auto entry = Napi::Object::New(env);
    entry["name"] = router.name;
    entry["index"] = router.index;
    entry["address"] = Format(router.address);
    entry["age"] = static_cast<double>(now - router.heard_at) / static_cast<double>(kMillisecond);
    result[result.Length()] = entry;
    if (env.IsExceptionPending()) return {};
  }
  return result;
}

// discoverRouters(interval, seed, onEvent): {setInterfaces(names), routers(): {name, index, address, age}[], close()}
Napi::Value DiscoverRouters(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto interval = ReadNumber(env, info[0], kMinInterval, kMaxInterval, "interval");
  if (!interval) return {};
  const auto seed = ReadNumber(env, info[1], 0, 0xffff'ffff, "seed");
  if (!seed) return {};
  if (!info[2].IsFunction()) return ThrowType(env, "onEvent: not a function"), Napi::Value();

  const auto duration = static_cast<Nanoseconds>(*interval * static_cast<double>(kMillisecond));
  auto discovery = std::make_unique<RouterDiscovery>(duration, static_cast<uint32_t>(*seed));
  if (const int error = discovery->Open(); error != 0) {
    return ThrowFailure(env, {"open an ICMPv6 socket", error}), Napi::Value();
  }
  auto loop = std::make_shared<DiscoveryLoop>(std::move(discovery), Napi::Persistent(info[2].As<Napi::Function>()));
  if (!LoopResident::Start(loop, env)) return ThrowFailure(env, {"uv_poll", ENOMEM}), Napi::Value();

  const std::weak_ptr<DiscoveryLoop> weak = loop;
  auto result = Napi::Object::New(env);
  result["setInterfaces"] = Napi::Function::New(env, [weak](const Napi::CallbackInfo& call) {
    const auto names = ReadNames(call.Env(), call[0]);
    const auto alive = weak.lock();
    if (names && alive) alive->SetInterfaces(*names);
  });
  result["routers"] = Napi::Function::New(env, [weak](const Napi::CallbackInfo& call) -> Napi::Value {
    const auto alive = weak.lock();
    return HeardToJavaScript(call.Env(), alive ? alive->Heard() : std::vector<HeardRouter>());
  });
  result["close"] = Napi::Function::New(env, [weak](const Napi::CallbackInfo&) {
    if (const auto alive = weak.lock()) alive->Close();
  });
  return result;
}

}  // namespace

void AddRouterDiscovery(Napi::Env env, Napi::Object exports) {
  exports["discoverRouters"] = Napi::Function::New(env, DiscoverRouters, "discoverRouters");
}

}  // namespace garpoon
