// What tfjs-node finds as its addon: loads the real one, hands over, and adds `readTensorInto`. TensorFlow writes notes
// while it is loaded, before it looks at TF_CPP_MIN_LOG_LEVEL; where that is set, standard error goes nowhere for as long
// as the loading takes.
#include <dlfcn.h>
#include <fcntl.h>
#include <node_api.h>
#include <unistd.h>

#include <cstdlib>

namespace {

class SilentErrors {
 public:
  SilentErrors() : kept_(dup(STDERR_FILENO)) {
    const int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere < 0) return;
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
  }
  ~SilentErrors() {
    if (kept_ < 0) return;
    dup2(kept_, STDERR_FILENO);
    close(kept_);
  }

 private:
  const int kept_;
};

void* load() {
  const char* level = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  if (level == nullptr || std::atoi(level) == 0) return dlopen(TFJS_ADDON, RTLD_LAZY);
  const SilentErrors silent;
  return dlopen(TFJS_ADDON, RTLD_LAZY);
}

}  // namespace

NAPI_MODULE_INIT() {
  void* addon = load();
  void* start = addon == nullptr ? nullptr : dlsym(addon, "napi_register_module_v1");
  if (start == nullptr) {
    napi_throw_error(env, nullptr, dlerror());
    return nullptr;
  }
  napi_value const loaded = reinterpret_cast<napi_value (*)(napi_env, napi_value)>(start)(env, exports);
  napi_callback const read = reinterpret_cast<napi_callback>(dlsym(addon, "fcaenetReadTensorInto"));
  napi_value function;
  if (loaded != nullptr && read != nullptr &&
      napi_create_function(env, "readTensorInto", NAPI_AUTO_LENGTH, read, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, loaded, "readTensorInto", function);
  }
  return loaded;
}
