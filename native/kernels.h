// The project's own kernels, a table for each instruction set. All arrays are float32. Activations are NHWC. Results do
// not depend on alignment or on the number of threads. Only the convolutions use more than one thread.
#pragma once

#include <cstddef>

namespace fcaenet {

// Geometry of a convolution or pooling. The output size determines the padding at the bottom and right.
struct Geometry {
  int batch, inHeight, inWidth, inChannels;
  int outHeight, outWidth, outChannels;
  int kernelHeight, kernelWidth, strideHeight, strideWidth;
  int padTop, padLeft;
};

// The output of an activation is its input between 0 and `limit`, 0 below, and `limit` above.
enum class Activation : int { none = 0, relu = 1, relu6 = 2 };

// y = activation((x − mean)·scale/√(variance + ε) + offset + shortcut). `shortcut` may be null.
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
  // For products of taps, the number of result channels is a multiple of this.
  int tapChannels;
  // Memory that the convolutions keep between calls.
  std::size_t (*scratchBytes)();
  void (*batchNormForward)(const BatchNormForward&);
  void (*batchNormBackward)(const BatchNormBackward&);
  void (*batchNormInference)(const BatchNormInference&);
  // Convolution and its gradients, filters `[kernelHeight, kernelWidth, inChannels, outChannels]`.
  void (*tapForward)(const Geometry&, const float* x, const float* filter, float* y);
  void (*tapInput)(const Geometry&, const float* dy, const float* filter, float* dx);
  void (*tapFilter)(const Geometry&, const float* x, const float* dy, float* dFilter);
  // The same for 3 x 3 taps, stride 1 and a padding of at most 2. `tapChannels` divides the numbers of input and output
  // channels.
  void (*winogradForward)(const Geometry&, const float* x, const float* filter, float* y);
  void (*winogradInput)(const Geometry&, const float* dy, const float* filter, float* dx);
  void (*winogradFilter)(const Geometry&, const float* x, const float* dy, float* dFilter);
  // Filters `[kernelHeight, kernelWidth, channels]`, channel multiplier 1.
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
  // c[m, n] = op(a) · op(b), row-major. a is [m, depth], or [depth, m] when transposed. b is [depth, n], or [n, depth].
  void (*matrixProduct)(bool transposeA, bool transposeB, std::size_t m, std::size_t n, std::size_t depth,
                        const float* a, const float* b, float* c);
  // y[outer, inner] = factor · sum over the middle of x[outer, middle, inner]
  void (*sumMiddle)(const float* x, float* y, std::size_t outer, std::size_t middle, std::size_t inner, float factor);
};

extern const Kernels kernelsAvx2;
extern const Kernels kernelsAvx512;

}  // namespace fcaenet
