// The parts of the addon beside the responder. Each adds its functions to the exports.
#pragma once

#include <napi.h>

namespace garpoon {

void AddTcp(Napi::Env env, Napi::Object exports);
void AddRouterDiscovery(Napi::Env env, Napi::Object exports);

}  // namespace garpoon
