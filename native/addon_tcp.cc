// TCP for routing sessions, as JavaScript sees it. A descriptor that is handed over is JavaScript's: nothing here
// closes it afterwards.

#include <napi.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon_loop.h"
#include "addon_parts.h"
#include "addon_values.h"
#include "interface_pattern.h"
#include "tcp_dial.h"
#include "tcp_listen.h"

namespace garpoon {
namespace {

constexpr uint32_t kMaxPeers = 4096;  // of one listener
constexpr double kMaxDescriptor = 0x7fff'ffff;

// Waits for a connection on the loop, not in a thread of the pool: a few silent peers would hold all of those.
class Dial : public LoopResident {
 public:
  Dial(Fd fd, Napi::FunctionReference done) : fd_(std::move(fd)), done_(std::move(done)) {}

 private:
  bool OpenHandles(uv_loop_t* loop) override {
    const auto name = Napi::String::New(env(), "garpoon dial");
    if (napi_async_init(env(), nullptr, name, &context_) != napi_ok) return false;
    if (uv_poll_init(loop, &poll_, fd_.get()) != 0) return false;
    Adopt(poll_);
    const auto ready = [](uv_poll_t* poll, int status, int) {
      static_cast<Dial*>(static_cast<LoopResident*>(poll->data))->Finish(status);
    };
    return uv_poll_start(&poll_, UV_WRITABLE, ready) == 0;
  }

  void Release() override {
    done_.Reset();
    if (context_ != nullptr) napi_async_destroy(env(), context_);
    context_ = nullptr;
    fd_ = Fd();
  }

  void Finish(int status) {
    // uv_poll says only that there is an error.
    Failure failure = FinishTcpDial(fd_.get());
    if (failure.error == 0 && status < 0) failure = {"uv_poll", -status};
    const Napi::Env environment = env();
    const Napi::HandleScope scope(environment);
    const Napi::Function done = done_.Value();
    napi_async_context context = std::exchange(context_, nullptr);
    Fd fd = std::move(fd_);
    // The loop must have let go of the descriptor before JavaScript puts it to use on the same loop.
    Close();
    Tell(environment, context, done, failure, std::move(fd));
    napi_async_destroy(environment, context);
  }

  static void Tell(Napi::Env env, napi_async_context context, Napi::Function done, const Failure& failure, Fd fd) {
    napi_callback_scope callbacks = nullptr;
    if (napi_open_callback_scope(env, nullptr, context, &callbacks) != napi_ok) return;
    const napi_value arguments[] = {Napi::Number::New(env, failure.error), Napi::String::New(env, failure.operation),
                                    Napi::Number::New(env, failure.error == 0 ? fd.get() : -1)};
    napi_value receiver = nullptr;
    napi_get_undefined(env, &receiver);
    const napi_status status = napi_call_function(env, receiver, done, std::size(arguments), arguments, nullptr);
    // An environment that ends no longer calls anything: then the descriptor stays ours.
    if (status == napi_ok && failure.error == 0) (void)fd.Release();
    napi_value thrown = nullptr;
    if (status == napi_pending_exception && napi_get_and_clear_last_exception(env, &thrown) == napi_ok) {
      napi_fatal_exception(env, thrown);
    }
    napi_close_callback_scope(env, callbacks);
  }

  Fd fd_;
  Napi::FunctionReference done_;
  napi_async_context context_ = nullptr;
  uv_poll_t poll_{};
};

// Reads the properties of an object. Once one of them is not as it should be, nothing more is asked of JavaScript.
class Properties {
 public:
  Properties(Napi::Env env, const Napi::Value& value, const char* what) : env_(env) {
    if (value.IsObject()) {
      object_ = value.As<Napi::Object>();
    } else {
      Refuse(std::string(what) + ": not an object");
    }
  }

  // Also false where nothing is pending: in an environment that is being torn down nothing can be read, nor thrown.
  [[nodiscard]] bool complete() const { return complete_ && !env_.IsExceptionPending(); }

  Napi::Value Get(const char* name) {
    if (!complete()) return env_.Undefined();
    return object_.Get(name);
  }

  double Number(const char* name, double most) {
    const Napi::Value value = Get(name);
    if (!complete()) return 0;
    const auto number = ReadNumber(env_, value, 0, most, name);
    complete_ = number.has_value();
    return number.value_or(0);
  }

  std::vector<uint8_t> Bytes(const char* name, size_t most) {
    const Napi::Value value = Get(name);
    if (!complete()) return {};
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      return Refuse(std::string(name) + ": not a Uint8Array"), std::vector<uint8_t>();
    }
    const auto array = value.As<Napi::Uint8Array>();
    if (array.ByteLength() > most) {
      return Refuse(std::string(name) + ": more than " + std::to_string(most) + " bytes"), std::vector<uint8_t>();
    }
    return {array.Data(), array.Data() + array.ByteLength()};
  }

  // From 4 or 16 bytes; from none too where `optional`.
  std::optional<IpAddress> Address(const char* name, bool optional = false) {
    const std::vector<uint8_t> bytes = Bytes(name, 16);
    if (!complete() || (optional && bytes.empty())) return std::nullopt;
    if (bytes.size() != 4 && bytes.size() != 16) {
      return Refuse(std::string(name) + ": neither 4 nor 16 bytes"), std::nullopt;
    }
    IpAddress address{bytes.size() == 4 ? Family::kIpv4 : Family::kIpv6, {}};
    std::ranges::copy(bytes, address.bytes.begin());
    return address;
  }

  // Of an interface; may be empty.
  std::string Name(const char* name) {
    const Napi::Value value = Get(name);
    if (!complete()) return {};
    if (!value.IsString()) return Refuse(std::string(name) + ": not a string"), std::string();
    std::string text = value.As<Napi::String>().Utf8Value();
    if (text.empty() || (text.size() <= 15 && IsInterfacePattern(text))) return text;
    return Refuse(std::string(name) + ": \"" + text + "\" cannot be an interface's name"), std::string();
  }

 private:
  void Refuse(const std::string& message) {
    ThrowType(env_, message);
    complete_ = false;
  }

  Napi::Env env_;
  Napi::Object object_;
  bool complete_ = true;
};

// Of no bytes, it has no memory either.
void Wipe(std::vector<uint8_t>& key) {
  if (!key.empty()) explicit_bzero(key.data(), key.size());
}

std::optional<int> ReadDescriptor(Napi::Env env, const Napi::Value& value) {
  const auto number = ReadNumber(env, value, 0, kMaxDescriptor, "fd");
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

// tcpDial({address, port, interface, source, device, key, ttl, minimumTtl, userTimeout}, done): () => void
//
// Addresses are bytes, a source of no bytes is none, and so is an empty name or key. Calls done(errno, operation, fd)
// once, later, unless what it returns is called before, which gives up.
Napi::Value TcpDial(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Properties options(env, info[0], "options");
  TcpTarget target;
  target.address = options.Address("address").value_or(IpAddress{});
  target.port = static_cast<uint16_t>(options.Number("port", 65'535));
  target.interface = options.Name("interface");
  target.source = options.Address("source", true);
  target.key = options.Bytes("key", kMaxTcpKey);
  target.options = {.device = options.Name("device"),
                    .ttl = static_cast<uint8_t>(options.Number("ttl", 255)),
                    .minimum_ttl = static_cast<uint8_t>(options.Number("minimumTtl", 255)),
                    .user_timeout = static_cast<uint32_t>(options.Number("userTimeout", 0x7fff'ffff))};
  if (!options.complete()) return {};
  if (target.source && target.source->family != target.address.family) {
    return ThrowType(env, "source: not of the address's family"), Napi::Value();
  }
  if (!info[1].IsFunction()) return ThrowType(env, "done: not a function"), Napi::Value();

  Failure failure;
  Fd fd = StartTcpDial(target, failure);
  Wipe(target.key);
  if (!fd.valid()) return ThrowFailure(env, failure), Napi::Value();
  auto dial = std::make_shared<Dial>(std::move(fd), Napi::Persistent(info[1].As<Napi::Function>()));
  if (!LoopResident::Start(dial, env)) {
    return ThrowFailure(env, {"uv_poll", ENOMEM}), Napi::Value();
  }
  return Napi::Function::New(
      env,
      [weak = std::weak_ptr<Dial>(dial)](const Napi::CallbackInfo&) {
        if (const auto alive = weak.lock()) alive->Close();
      },
      "abort");
}

std::optional<std::vector<TcpPeer>> ReadPeers(Napi::Env env, const Napi::Value& value) {
  if (!value.IsArray()) return ThrowType(env, "peers: not an array"), std::nullopt;
  const auto array = value.As<Napi::Array>();
  const uint32_t length = array.Length();
  if (length > kMaxPeers) return ThrowRange(env, "peers: too many"), std::nullopt;
  std::vector<TcpPeer> peers;
  for (uint32_t i = 0; i < length; i++) {
    Properties peer(env, array.Get(i), "peer");
    const auto address = peer.Address("address");
    auto key = peer.Bytes("key", kMaxTcpKey);
    const auto ttl = static_cast<uint8_t>(peer.Number("ttl", 255));
    const auto minimum_ttl = static_cast<uint8_t>(peer.Number("minimumTtl", 255));
    if (!peer.complete()) return std::nullopt;
    peers.push_back({*address, std::move(key), ttl, minimum_ttl});
  }
  return peers;
}

// tcpListen({address, port, interface, device, peers: {address, key, ttl, minimumTtl}[]}): number, the descriptor. An
// Error about a peer has its place among them as `peer`.
Napi::Value TcpListen(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Properties options(env, info[0], "options");
  TcpListener listener;
  listener.address = options.Address("address").value_or(IpAddress{});
  listener.port = static_cast<uint16_t>(options.Number("port", 65'535));
  listener.interface = options.Name("interface");
  listener.device = options.Name("device");
  const Napi::Value given = options.Get("peers");
  if (!options.complete()) return {};
  auto peers = ReadPeers(env, given);
  if (!peers) return {};
  listener.peers = *std::move(peers);

  Failure failure;
  const TcpPeer* about = nullptr;
  Fd fd = OpenTcpListener(listener, failure, about);
  const auto place = about == nullptr ? -1 : about - listener.peers.data();
  for (TcpPeer& peer : listener.peers) Wipe(peer.key);
  if (!fd.valid()) {
    auto error = Napi::Error::New(env, failure.operation);
    error.Set("errno", Napi::Number::New(env, failure.error));
    if (place >= 0) error.Set("peer", Napi::Number::New(env, static_cast<double>(place)));
    error.ThrowAsJavaScriptException();
    return {};
  }
  const Napi::Value number = Napi::Number::New(env, fd.get());
  if (!env.IsExceptionPending()) (void)fd.Release();
  return number;
}

// setTcpKey(fd, {address, key}): void
void SetKey(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fd = ReadDescriptor(env, info[0]);
  if (!fd) return;
  Properties peer(env, info[1], "peer");
  const auto address = peer.Address("address");
  auto key = peer.Bytes("key", kMaxTcpKey);
  if (!peer.complete()) return;
  const Failure failure = SetTcpKey(*fd, *address, key);
  Wipe(key);
  if (failure.error != 0) ThrowFailure(env, failure);
}

// setTcpTtl(fd, ttl, minimumTtl): void
void SetTtl(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fd = ReadDescriptor(env, info[0]);
  if (!fd) return;
  const auto ttl = ReadNumber(env, info[1], 0, 255, "ttl");
  if (!ttl) return;
  const auto minimum_ttl = ReadNumber(env, info[2], 0, 255, "minimumTtl");
  if (!minimum_ttl) return;
  const Failure failure = SetTcpTtl(*fd, static_cast<uint8_t>(*ttl), static_cast<uint8_t>(*minimum_ttl));
  if (failure.error != 0) ThrowFailure(env, failure);
}

// tcpInfo(fd): {state, rtt, rttVariance, retransmits, unacknowledged, timeouts}, as TcpInfo
Napi::Value GetInfo(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fd = ReadDescriptor(env, info[0]);
  if (!fd) return {};
  TcpInfo read;
  const Failure failure = ReadTcpInfo(*fd, read);
  if (failure.error != 0) return ThrowFailure(env, failure), Napi::Value();
  auto result = Napi::Object::New(env);
  result["state"] = read.state;
  result["rtt"] = read.rtt;
  result["rttVariance"] = read.rtt_variance;
  result["retransmits"] = read.retransmits;
  result["unacknowledged"] = read.unacknowledged;
  result["timeouts"] = read.timeouts;
  return result;
}

}  // namespace

void AddTcp(Napi::Env env, Napi::Object exports) {
  exports["tcpDial"] = Napi::Function::New(env, TcpDial, "tcpDial");
  exports["tcpListen"] = Napi::Function::New(env, TcpListen, "tcpListen");
  exports["setTcpKey"] = Napi::Function::New(env, SetKey, "setTcpKey");
  exports["setTcpTtl"] = Napi::Function::New(env, SetTtl, "setTcpTtl");
  exports["tcpInfo"] = Napi::Function::New(env, GetInfo, "tcpInfo");
}

}  // namespace garpoon
