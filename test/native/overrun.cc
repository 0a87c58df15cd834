// Faults for the sanitizers to find, as kernels make them: on the memory of a JavaScript array.
#include <node_api.h>

#include <climits>

namespace {

float* valuesOf(napi_env env, napi_callback_info info, std::size_t* length) {
  std::size_t count = 1;
  napi_value array;
  void* values = nullptr;
  napi_get_cb_info(env, info, &count, &array, nullptr, nullptr);
  napi_get_typedarray_info(env, array, nullptr, length, &values, nullptr, nullptr);
  return static_cast<float*>(values);
}

// Writes one value behind the last.
napi_value overrun(napi_env env, napi_callback_info info) {
  std::size_t length = 0;
  float* values = valuesOf(env, info, &length);
  for (std::size_t i = 0; i <= length; i++) values[i] = 1;
  return nullptr;
}

// Adds one to the largest int.
napi_value overflow(napi_env env, napi_callback_info info) {
  std::size_t length = 0;
  float* values = valuesOf(env, info, &length);
  volatile int largest = INT_MAX;
  values[0] = static_cast<float>(largest + 1);
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "overrun", NAPI_AUTO_LENGTH, overrun, nullptr, &function);
  napi_set_named_property(env, exports, "overrun", function);
  napi_create_function(env, "overflow", NAPI_AUTO_LENGTH, overflow, nullptr, &function);
  napi_set_named_property(env, exports, "overflow", function);
  return exports;
}
