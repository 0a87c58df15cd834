// Node-API functions of the native kernels. Their arguments are typed arrays. The TypeScript side derives the lengths
// from checked shapes. These functions check the byte lengths again, so that no call writes out of bounds.
#define NAPI_VERSION 8
#include <node_api.h>
#include <omp.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "convolution.h"
#include "convolution_choice.h"
#include "kernels.h"

namespace fcaenet {
namespace {

struct State {
  const Kernels* kernels = nullptr;
  Convolutions convolutions;
};

// Reads the arguments of one call. Throws when a value is not what the kernel needs.
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env_(env) {
    napi_get_cb_info(env, info, &count_, values_, nullptr, reinterpret_cast<void**>(&state_));
  }
  State& state() const { return *state_; }
  std::size_t count() const { return count_; }

  float* floats(std::size_t index, std::size_t atLeast) const {
    std::size_t length = 0;
    void* data = typed(index, napi_float32_array, &length);
    if (length < atLeast) {
      throw std::invalid_argument("argument " + std::to_string(index) + " holds " + std::to_string(length) +
                                  " values, expected " + std::to_string(atLeast));
    }
    return static_cast<float*>(data);
  }
  std::size_t length(std::size_t index) const {
    std::size_t length = 0;
    typed(index, napi_float32_array, &length);
    return length;
  }
  const std::int32_t* integers(std::size_t index, std::size_t atLeast) const {
    std::size_t length = 0;
    void* data = typed(index, napi_int32_array, &length);
    if (length < atLeast) throw std::invalid_argument("argument " + std::to_string(index) + " is too short");
    return static_cast<std::int32_t*>(data);
  }
  double number(std::size_t index) const {
    double value = 0;
    if (index >= count_ || napi_get_value_double(env_, values_[index], &value) != napi_ok) {
      throw std::invalid_argument("argument " + std::to_string(index) + " is not a number");
    }
    return value;
  }
  std::size_t size(std::size_t index) const { return static_cast<std::size_t>(number(index)); }
  Activation activation(std::size_t index) const { return static_cast<Activation>(static_cast<int>(number(index))); }

 private:
  void* typed(std::size_t index, napi_typedarray_type expected, std::size_t* length) const {
    napi_typedarray_type type;
    void* data = nullptr;
    if (index >= count_ ||
        napi_get_typedarray_info(env_, values_[index], &type, length, &data, nullptr, nullptr) != napi_ok ||
        type != expected) {
      throw std::invalid_argument("argument " + std::to_string(index) + " is not a typed array of the right kind");
    }
    return data;
  }

  napi_env env_;
  std::size_t count_ = 12;
  napi_value values_[12];
  State* state_ = nullptr;
};

template <void (*body)(Call&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    Call call(env, info);
    body(call);
  } catch (const std::exception& error) {
    napi_throw_error(env, "ENGINE_NATIVE", error.what());
  }
  return nullptr;
}

struct Sizes {
  Geometry geometry;
  std::size_t in, out, filter;
};

Sizes sizes(const Call& call, std::size_t index, bool depthwise) {
  const std::int32_t* v = call.integers(index, 13);
  Sizes s;
  s.geometry = {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12]};
  const Geometry& g = s.geometry;
  for (int i = 0; i < 11; i++) {
    if (v[i] < 1) throw std::invalid_argument("a geometry value is below 1");
  }
  if (g.padTop < 0 || g.padLeft < 0) throw std::invalid_argument("a padding is below 0");
  s.in = static_cast<std::size_t>(g.batch) * g.inHeight * g.inWidth * g.inChannels;
  s.out = static_cast<std::size_t>(g.batch) * g.outHeight * g.outWidth * g.outChannels;
  s.filter = static_cast<std::size_t>(g.kernelHeight) * g.kernelWidth * g.inChannels * (depthwise ? 1 : g.outChannels);
  return s;
}

void convolution(Call& call) {
  const Sizes s = sizes(call, 3, false);
  const float *x = call.floats(0, s.in), *filter = call.floats(1, s.filter);
  float* y = call.floats(2, s.out);
  State& state = call.state();
  switch (methodOf(s.geometry, Direction::forward, *state.kernels)) {
    case Method::taps: return state.kernels->tapForward(s.geometry, x, filter, y);
    case Method::winograd: return state.kernels->winogradForward(s.geometry, x, filter, y);
    case Method::onednn: return state.convolutions.forward(s.geometry, x, filter, y);
  }
}
void convolutionInput(Call& call) {
  const Sizes s = sizes(call, 3, false);
  const float *dy = call.floats(0, s.out), *filter = call.floats(1, s.filter);
  float* dx = call.floats(2, s.in);
  State& state = call.state();
  switch (methodOf(s.geometry, Direction::input, *state.kernels)) {
    case Method::taps: return state.kernels->tapInput(s.geometry, dy, filter, dx);
    case Method::winograd: return state.kernels->winogradInput(s.geometry, dy, filter, dx);
    case Method::onednn: return state.convolutions.input(s.geometry, dy, filter, dx);
  }
}
void convolutionFilter(Call& call) {
  const Sizes s = sizes(call, 3, false);
  const float *x = call.floats(0, s.in), *dy = call.floats(1, s.out);
  float* dFilter = call.floats(2, s.filter);
  State& state = call.state();
  switch (methodOf(s.geometry, Direction::filter, *state.kernels)) {
    case Method::taps: return state.kernels->tapFilter(s.geometry, x, dy, dFilter);
    case Method::winograd: return state.kernels->winogradFilter(s.geometry, x, dy, dFilter);
    case Method::onednn: return state.convolutions.filter(s.geometry, x, dy, dFilter);
  }
}
void depthwise(Call& call) {
  const Sizes s = sizes(call, 3, true);
  call.state().kernels->depthwise(s.geometry, call.floats(0, s.in), call.floats(1, s.filter), call.floats(2, s.out));
}
void depthwiseInput(Call& call) {
  const Sizes s = sizes(call, 3, true);
  call.state().kernels->depthwiseInput(s.geometry, call.floats(0, s.out), call.floats(1, s.filter),
                                       call.floats(2, s.in));
}
void depthwiseFilter(Call& call) {
  const Sizes s = sizes(call, 3, true);
  call.state().kernels->depthwiseFilter(s.geometry, call.floats(0, s.in), call.floats(1, s.out),
                                        call.floats(2, s.filter));
}
void maxPool(Call& call) {
  const Sizes s = sizes(call, 2, true);
  call.state().kernels->maxPool(s.geometry, call.floats(0, s.in), call.floats(1, s.out));
}
void maxPoolInput(Call& call) {
  const Sizes s = sizes(call, 4, true);
  call.state().kernels->maxPoolInput(s.geometry, call.floats(0, s.in), call.floats(1, s.out), call.floats(2, s.out),
                                     call.floats(3, s.in));
}

// (a, b, c, m, n, k, transposeA, transposeB, matrices, shared)
// `shared` is 1 when all products use the same a, 2 when they use the same b, else 0.
void matMul(Call& call) {
  const std::size_t m = call.size(3), n = call.size(4), k = call.size(5), matrices = call.size(8);
  const bool shareA = call.number(9) == 1, shareB = call.number(9) == 2;
  const float* a = call.floats(0, (shareA ? 1 : matrices) * m * k);
  const float* b = call.floats(1, (shareB ? 1 : matrices) * k * n);
  float* c = call.floats(2, matrices * m * n);
  for (std::size_t i = 0; i < matrices; i++) {
    call.state().kernels->matrixProduct(call.number(6) != 0, call.number(7) != 0, m, n, k, a + (shareA ? 0 : i * m * k),
                  b + (shareB ? 0 : i * k * n), c + i * m * n);
  }
}

// (x, scale, offset, y, mean, variance, epsilon, activation, optional shortcut)
void batchNormForward(Call& call) {
  const std::size_t channels = call.length(1), count = call.length(0);
  const float* shortcut = call.count() > 8 ? call.floats(8, count) : nullptr;
  call.state().kernels->batchNormForward({call.floats(0, count), call.floats(1, channels), call.floats(2, channels),
                                          shortcut, call.floats(3, count), call.floats(4, channels),
                                          call.floats(5, channels), count / channels, channels, call.number(6),
                                          call.activation(7)});
}
// (x, dy, scale, offset, mean, variance, dx, dScale, dOffset, epsilon, activation)
void batchNormBackward(Call& call) {
  const std::size_t channels = call.length(2), count = call.length(0);
  call.state().kernels->batchNormBackward({call.floats(0, count), call.floats(1, count), call.floats(2, channels),
                                           call.floats(3, channels), call.floats(4, channels),
                                           call.floats(5, channels), call.floats(6, count), call.floats(7, channels),
                                           call.floats(8, channels), count / channels, channels, call.number(9),
                                           call.activation(10)});
}
// (x, scale, offset, mean, variance, y, epsilon)
void batchNormInference(Call& call) {
  const std::size_t channels = call.length(1), count = call.length(0);
  call.state().kernels->batchNormInference({call.floats(0, count), call.floats(1, channels), call.floats(2, channels),
                                            call.floats(3, channels), call.floats(4, channels), call.floats(5, count),
                                            count / channels, channels, call.number(6)});
}
void relu(Call& call) {
  const std::size_t count = call.length(0);
  call.state().kernels->relu(call.floats(0, count), call.floats(1, count), count, static_cast<float>(call.number(2)));
}
void reluInput(Call& call) {
  const std::size_t count = call.length(0);
  call.state().kernels->reluInput(call.floats(0, count), call.floats(1, count), call.floats(2, count), count,
                                  static_cast<float>(call.number(3)));
}
template <void (*Kernels::*kernel)(const float*, const float*, float*, std::size_t)>
void binary(Call& call) {
  const std::size_t count = call.length(0);
  (call.state().kernels->*kernel)(call.floats(0, count), call.floats(1, count), call.floats(2, count), count);
}
// (x, bias, y)
void addRows(Call& call) {
  const std::size_t channels = call.length(1), count = call.length(0);
  call.state().kernels->addRows(call.floats(0, count), call.floats(1, channels), call.floats(2, count),
                                count / channels, channels);
}
void sumMiddle(Call& call) {
  const std::size_t outer = call.size(2), middle = call.size(3), inner = call.size(4);
  call.state().kernels->sumMiddle(call.floats(0, outer * middle * inner), call.floats(1, outer * inner), outer, middle,
                                  inner, static_cast<float>(call.number(5)));
}

// Float32Array of the given length. Its first value is at the start of a cache line, so no lane crosses a cache line.
napi_value alignedFloats(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value argument, buffer, array;
  std::int64_t length = 0;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (count != 1 || napi_get_value_int64(env, argument, &length) != napi_ok || length < 0 ||
      napi_create_arraybuffer(env, length * sizeof(float) + 64, &data, &buffer) != napi_ok) {
    napi_throw_error(env, "ENGINE_NATIVE", "no memory for an array of the asked length");
    return nullptr;
  }
  const std::size_t offset = (64 - reinterpret_cast<std::uintptr_t>(data) % 64) % 64;
  napi_create_typedarray(env, napi_float32_array, length, buffer, offset, &array);
  return array;
}

const char* instructionSet() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx2: return "avx2";
    case dnnl::cpu_isa::avx2_vnni: return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core: return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx: return "avx512_core_amx";
    default: return "below avx2";
  }
}

void set(napi_env env, napi_value object, const char* name, const std::string& text) {
  napi_value value;
  napi_create_string_utf8(env, text.c_str(), text.size(), &value);
  napi_set_named_property(env, object, name, value);
}
void set(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  napi_set_named_property(env, object, name, value);
}

// start(threads): sets the number of threads and the instruction set, and returns both. The project's kernels use the
// instruction set that oneDNN chose, so DNNL_MAX_CPU_ISA limits both.
napi_value start(napi_env env, napi_callback_info info) {
  Call call(env, info);
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                      std::string(instructionSet()).rfind("avx512", 0) == 0;
  if (!avx2) {
    napi_throw_error(env, "ENGINE_INSTRUCTION_SET", "the processor lacks the AVX2 and FMA instructions");
    return nullptr;
  }
  omp_set_num_threads(static_cast<int>(call.number(0)));
  call.state().kernels = avx512 ? &kernelsAvx512 : &kernelsAvx2;
  const dnnl_version_t* version = dnnl_version();
  napi_value result;
  napi_create_object(env, &result);
  set(env, result, "instructionSet", std::string(instructionSet()));
  set(env, result, "loops", std::string(call.state().kernels->name));
  set(env, result, "version", std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
                                  std::to_string(version->patch));
  return result;
}

napi_value memory(napi_env env, napi_callback_info info) {
  Call call(env, info);
  const State& state = call.state();
  const std::size_t scratchBytes = state.kernels == nullptr ? 0 : state.kernels->scratchBytes();
  const std::size_t workspaceBytes = state.convolutions.workspaceBytes() + scratchBytes;
  napi_value result;
  napi_create_object(env, &result);
  set(env, result, "workspaceBytes", static_cast<double>(workspaceBytes));
  set(env, result, "primitives", static_cast<double>(state.convolutions.primitives()));
  return result;
}

napi_value initialise(napi_env env, napi_value exports) {
  State* state = new State();
  napi_set_instance_data(env, state, [](napi_env, void* data, void*) { delete static_cast<State*>(data); }, nullptr);
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {
      {"start", start},
      {"memory", memory},
      {"alignedFloats", alignedFloats},
      {"convolution", guarded<convolution>},
      {"convolutionInput", guarded<convolutionInput>},
      {"convolutionFilter", guarded<convolutionFilter>},
      {"depthwise", guarded<depthwise>},
      {"depthwiseInput", guarded<depthwiseInput>},
      {"depthwiseFilter", guarded<depthwiseFilter>},
      {"maxPool", guarded<maxPool>},
      {"maxPoolInput", guarded<maxPoolInput>},
      {"matMul", guarded<matMul>},
      {"batchNormForward", guarded<batchNormForward>},
      {"batchNormBackward", guarded<batchNormBackward>},
      {"batchNormInference", guarded<batchNormInference>},
      {"relu", guarded<relu>},
      {"reluInput", guarded<reluInput>},
      {"add", guarded<binary<&Kernels::add>>},
      {"subtract", guarded<binary<&Kernels::subtract>>},
      {"multiply", guarded<binary<&Kernels::multiply>>},
      {"addRows", guarded<addRows>},
      {"sumMiddle", guarded<sumMiddle>},
  };
  for (const auto& entry : functions) {
    napi_value function;
    napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.function, state, &function);
    napi_set_named_property(env, exports, entry.name, function);
  }
  return exports;
}

}  // namespace
}  // namespace fcaenet

NAPI_MODULE_INIT() { return fcaenet::initialise(env, exports); }
