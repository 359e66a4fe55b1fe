#include "addon_loop.h"

namespace garpoon {

bool LoopResident::Start(const std::shared_ptr<LoopResident>& self, napi_env env) {
  LoopResident& it = *self;
  it.env_ = env;
  uv_loop_t* loop = nullptr;
  const auto at_exit = [](napi_async_cleanup_hook_handle, void* data) { static_cast<LoopResident*>(data)->Close(); };
  if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
      napi_add_async_cleanup_hook(env, at_exit, &it, &it.hook_) != napi_ok) {
    return false;
  }
  it.self_ = self;
  if (it.OpenHandles(loop)) return true;
  it.Close();
  return false;
}

void LoopResident::Close() {
  if (closing_) return;
  closing_ = true;
  // Closed() frees the object with the last of them.
  const std::shared_ptr<LoopResident> alive = self_;
  const int count = count_;
  for (int i = 0; i < count; i++) {
    uv_close(handles_[i], [](uv_handle_t* handle) { static_cast<LoopResident*>(handle->data)->Closed(); });
  }
  // The loop no longer looks at the descriptors from here on.
  Release();
  if (count == 0) {
    count_ = 1;
    Closed();
  }
}

void LoopResident::Closed() {
  count_ -= 1;
  if (count_ > 0) return;
  if (hook_ != nullptr) napi_remove_async_cleanup_hook(hook_);
  hook_ = nullptr;
  self_.reset();
}

}  // namespace garpoon
