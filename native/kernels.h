// The project's own loops, as a table per instruction set. All arrays are float32; activations are NHWC.
// Results depend neither on alignment nor on the number of threads; only the convolutions use more than one.
#pragma once

#include <cstddef>

namespace fcaenet {

// Geometry of a convolution or pooling; padding at the bottom and right follows from the output size.
struct Geometry {
  int batch, inHeight, inWidth, inChannels;
  int outHeight, outWidth, outChannels;
  int kernelHeight, kernelWidth, strideHeight, strideWidth;
  int padTop, padLeft;
};

// An activation passes its input where it lies inside (0, limit), is 0 below and `limit` above.
enum class Activation : int { none = 0, relu = 1, relu6 = 2 };

// y = activation((x − mean)·scale/√(variance + ε) + offset + shortcut); `shortcut` is null where there is none.
struct BatchNormForward {
  const float *x, *scale, *offset, *shortcut;
  float *y, *mean, *variance;
  std::size_t rows, channels;
  double epsilon;
  Activation activation;
};

struct BatchNormBackward {
  const float *x, *dy, *scale, *offset, *mean, *variance;
  float *dx, *dScale, *dOffset;
  std::size_t rows, channels;
  double epsilon;
  Activation activation;
};

struct BatchNormInference {
  const float *x, *scale, *offset, *mean, *variance;
  float* y;
  std::size_t rows, channels;
  double epsilon;
};

struct Kernels {
  const char* name;
  bool isAvx512;
  // The result's channels must be a multiple of it in the products of taps.
  int tapChannels;
  // Memory that the convolutions keep from call to call.
  std::size_t (*scratchBytes)();
  void (*batchNormForward)(const BatchNormForward&);
  void (*batchNormBackward)(const BatchNormBackward&);
  void (*batchNormInference)(const BatchNormInference&);
  // Convolution and its gradients, filters `[kernelHeight, kernelWidth, inChannels, outChannels]`.
  void (*tapForward)(const Geometry&, const float* x, const float* filter, float* y);
  void (*tapInput)(const Geometry&, const float* dy, const float* filter, float* dx);
  void (*tapFilter)(const Geometry&, const float* x, const float* dy, float* dFilter);
  // The same for 3 x 3 taps, stride 1 and a padding of at most 2; `tapChannels` divides the channels of both sides.
  void (*winogradForward)(const Geometry&, const float* x, const float* filter, float* y);
  void (*winogradInput)(const Geometry&, const float* dy, const float* filter, float* dx);
  void (*winogradFilter)(const Geometry&, const float* x, const float* dy, float* dFilter);
  // Filters `[kernelHeight, kernelWidth, channels]`, multiplier 1.
  void (*depthwise)(const Geometry&, const float* x, const float* filter, float* y);
  void (*depthwiseInput)(const Geometry&, const float* dy, const float* filter, float* dx);
  void (*depthwiseFilter)(const Geometry&, const float* x, const float* dy, float* dFilter);
  void (*maxPool)(const Geometry&, const float* x, float* y);
  // The gradient goes to the first largest input of each window, row by row.
  void (*maxPoolInput)(const Geometry&, const float* x, const float* y, const float* dy, float* dx);
  void (*relu)(const float* x, float* y, std::size_t count, float limit);
  void (*reluInput)(const float* y, const float* dy, float* dx, std::size_t count, float limit);
  void (*add)(const float* a, const float* b, float* c, std::size_t count);
  void (*subtract)(const float* a, const float* b, float* c, std::size_t count);
  void (*multiply)(const float* a, const float* b, float* c, std::size_t count);
  // y[rows, channels] = x[rows, channels] + bias[channels]
  void (*addRows)(const float* x, const float* bias, float* y, std::size_t rows, std::size_t channels);
  // c[m, n] = op(a) · op(b), row-major; a is [m, depth] or, transposed, [depth, m], b likewise.
  void (*matrixProduct)(bool transposeA, bool transposeB, std::size_t m, std::size_t n, std::size_t depth,
                        const float* a, const float* b, float* c);
  // y[outer, inner] = factor · sum over the middle of x[outer, middle, inner]
  void (*sumMiddle)(const float* x, float* y, std::size_t outer, std::size_t middle, std::size_t inner, float factor);
};

extern const Kernels kernelsAvx2;
extern const Kernels kernelsAvx512;

}  // namespace fcaenet
