// Part of tfjs-node's addon: copies a float32 tensor to a place in a Float32Array. The addon's own way to read a tensor
// makes a new array each time; for a gradient of 94 MB the new pages cost more than the copy.
#include <node_api.h>

#include <cstring>
#include <memory>

#include "binding/tfjs_backend.h"

namespace tfnodejs {

using Handles = std::unordered_map<int32_t, TFE_TensorHandle *>;

// The handles are private. An explicit instantiation may name them.
Handles &handlesOf(TFJSBackend &backend);
template <Handles TFJSBackend::*member>
struct Opened {
  friend Handles &handlesOf(TFJSBackend &backend) { return backend.*member; }
};
template struct Opened<&TFJSBackend::tfe_handle_map_>;

napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

}  // namespace tfnodejs

/** readTensorInto(id, target, offset) */
extern "C" napi_value fcaenetReadTensorInto(napi_env env, napi_callback_info info) {
  using namespace tfnodejs;
  size_t count = 3;
  napi_value given[3];
  TFJSBackend *backend = nullptr;
  int32_t id = 0;
  napi_typedarray_type type;
  size_t length = 0;
  void *data = nullptr;
  int64_t offset = 0;
  if (napi_get_cb_info(env, info, &count, given, nullptr, nullptr) != napi_ok || count != 3 ||
      napi_get_instance_data(env, reinterpret_cast<void **>(&backend)) != napi_ok || backend == nullptr ||
      napi_get_value_int32(env, given[0], &id) != napi_ok ||
      napi_get_typedarray_info(env, given[1], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float32_array || napi_get_value_int64(env, given[2], &offset) != napi_ok) {
    return fail(env, "readTensorInto expects a tensor's id, a Float32Array and an offset.");
  }
  const auto entry = handlesOf(*backend).find(id);
  if (entry == handlesOf(*backend).end()) return fail(env, "readTensorInto got the id of no tensor.");
  const std::unique_ptr<TF_Status, decltype(&TF_DeleteStatus)> status(TF_NewStatus(), &TF_DeleteStatus);
  const std::unique_ptr<TF_Tensor, decltype(&TF_DeleteTensor)> tensor(
      TFE_TensorHandleResolve(entry->second, status.get()), &TF_DeleteTensor);
  if (TF_GetCode(status.get()) != TF_OK) return fail(env, TF_Message(status.get()));
  if (TF_TensorType(tensor.get()) != TF_FLOAT) return fail(env, "readTensorInto reads float32 tensors only.");
  const size_t bytes = TF_TensorByteSize(tensor.get());
  if (offset < 0 || static_cast<size_t>(offset) > length || bytes / sizeof(float) > length - offset) {
    return fail(env, "readTensorInto got an array that is too short.");
  }
  std::memcpy(static_cast<float *>(data) + offset, TF_TensorData(tensor.get()), bytes);
  return nullptr;
}
