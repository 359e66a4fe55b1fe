// Values from JavaScript, and exceptions to it. For the addon*.cc alone. What returns nothing has left an exception
// pending.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

#include "failure.h"

namespace garpoon {

inline void ThrowType(Napi::Env env, const std::string& message) {
  if (!env.IsExceptionPending()) Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
}

inline void ThrowRange(Napi::Env env, const std::string& message) {
  if (!env.IsExceptionPending()) Napi::RangeError::New(env, message).ThrowAsJavaScriptException();
}

// An Error whose message is the operation, with an `errno`.
inline void ThrowFailure(Napi::Env env, const Failure& failure) {
  if (env.IsExceptionPending()) return;
  auto error = Napi::Error::New(env, failure.operation);
  error.Set("errno", Napi::Number::New(env, failure.error));
  error.ThrowAsJavaScriptException();
}

inline std::optional<double> ReadNumber(Napi::Env env, const Napi::Value& value, double least, double most,
                                        const char* what) {
  if (!value.IsNumber()) return ThrowType(env, std::string(what) + ": not a number"), std::nullopt;
  const double number = value.As<Napi::Number>().DoubleValue();
  if (number >= least && number <= most) return number;  // not so for NaN
  return ThrowRange(env, std::string(what) + ": " + std::to_string(number) + " is out of range"), std::nullopt;
}

}  // namespace garpoon
