// What waits on the event loop of an environment: closed by its owner, or when the environment ends, and freed when the
// loop has let go of it.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <memory>

namespace garpoon {

// JavaScript thread only. The loop holds the object from Start() until its handles are closed; others hold a weak
// pointer.
class LoopResident {
 public:
  LoopResident() = default;
  LoopResident(const LoopResident&) = delete;
  LoopResident& operator=(const LoopResident&) = delete;
  virtual ~LoopResident() = default;

  // Opens the handles. False when that fails or the environment ends: then everything is closed, and `self` is free as
  // soon as the loop permits.
  [[nodiscard]] static bool Start(const std::shared_ptr<LoopResident>& self, napi_env env);

  // Idempotent. Nothing is called back afterwards.
  void Close();

 protected:
  // False when one does not open. Each that did is told to Adopt(), at once.
  [[nodiscard]] virtual bool OpenHandles(uv_loop_t* loop) = 0;
  // Stops everything but the handles, and frees what is JavaScript's.
  virtual void Release() = 0;

  template <typename Handle>
  void Adopt(Handle& handle) {
    auto* const plain = reinterpret_cast<uv_handle_t*>(&handle);
    plain->data = this;
    handles_[count_++] = plain;
  }

  [[nodiscard]] napi_env env() const { return env_; }

 private:
  void Closed();

  napi_env env_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  uv_handle_t* handles_[2] = {};
  int count_ = 0;
  bool closing_ = false;
  std::shared_ptr<LoopResident> self_;  // while there are handles
};

}  // namespace garpoon
