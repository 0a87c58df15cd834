// Depthwise convolution, channel multiplier 1. Channels lie side by side, so every step works on whole lanes of them.
#pragma once

#include <cstring>
#include <vector>

#include "kernels.h"
#include "lanes.h"

namespace FCAENET_VARIANT {

using fcaenet::Geometry;

// Taps of one axis that fall inside the input for an output position: kernel indices [begin, end).
struct Taps {
  int begin, end;
};
inline Taps tapsOf(int out, int stride, int pad, int kernel, int in) {
  const int start = out * stride - pad;
  const int begin = start < 0 ? -start : 0;
  const int end = start + kernel > in ? in - start : kernel;
  return {begin, end > begin ? end : begin};
}

// Output columns [begin, end) whose taps all fall inside the input.
inline Taps innerColumns(const Geometry& g) {
  int begin = (g.padLeft + g.strideWidth - 1) / g.strideWidth;
  int end = (g.inWidth - g.kernelWidth + g.padLeft) / g.strideWidth + 1;
  if (g.inWidth - g.kernelWidth + g.padLeft < 0) end = 0;
  if (begin > g.outWidth) begin = g.outWidth;
  if (end > g.outWidth) end = g.outWidth;
  return {begin, end > begin ? end : begin};
}

template <class L>
inline void depthwisePoint(const Geometry& g, const float* image, const float* filter, float* y, int oy, int ox,
                           std::size_t c) {
  const std::size_t channels = g.inChannels;
  const Taps rows = tapsOf(oy, g.strideHeight, g.padTop, g.kernelHeight, g.inHeight);
  const Taps columns = tapsOf(ox, g.strideWidth, g.padLeft, g.kernelWidth, g.inWidth);
  L sum = L::all(0.0f);
  for (int ky = rows.begin; ky < rows.end; ky++) {
    const int iy = oy * g.strideHeight - g.padTop + ky;
    for (int kx = columns.begin; kx < columns.end; kx++) {
      const int ix = ox * g.strideWidth - g.padLeft + kx;
      sum = fma(L::load(image + (static_cast<std::size_t>(iy) * g.inWidth + ix) * channels + c),
                L::load(filter + (ky * g.kernelWidth + kx) * channels + c), sum);
    }
  }
  sum.store(y + (static_cast<std::size_t>(oy) * g.outWidth + ox) * channels + c);
}

// The usual 3×3 kernel keeps its nine weights in registers; rows above and below the input read zeros.
template <class L>
inline void depthwiseRow3(const Geometry& g, const float* const rows[3], const float* filter, float* y, int begin,
                          int end, std::size_t c) {
  const std::size_t channels = g.inChannels;
  const std::size_t step = static_cast<std::size_t>(g.strideWidth) * channels;
  L w[9];
  for (int k = 0; k < 9; k++) w[k] = L::load(filter + k * channels + c);
  for (int ox = begin; ox < end; ox++) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(ox) * step - g.padLeft * channels + c;
    L sum[3];
    for (int ky = 0; ky < 3; ky++) {
      const float* x = rows[ky] + at;
      sum[ky] = fma(L::load(x + 2 * channels), w[ky * 3 + 2],
                    fma(L::load(x + channels), w[ky * 3 + 1], L::load(x) * w[ky * 3]));
    }
    (sum[0] + sum[1] + sum[2]).store(y + ox * channels + c);
  }
}

inline void depthwise(const Geometry& g, const float* x, const float* filter, float* y) {
  const std::size_t channels = g.inChannels;
  const std::size_t rowLength = g.inWidth * channels;
  const Taps inner = g.kernelHeight == 3 && g.kernelWidth == 3 ? innerColumns(g) : Taps{g.outWidth, g.outWidth};
  const std::vector<float> zeros(rowLength, 0.0f);
  for (int b = 0; b < g.batch; b++) {
    const float* image = x + b * g.inHeight * rowLength;
    float* out = y + static_cast<std::size_t>(b) * g.outHeight * g.outWidth * channels;
    for (int oy = 0; oy < g.outHeight; oy++) {
      const float* rows[3] = {zeros.data(), zeros.data(), zeros.data()};
      for (int ky = 0; ky < 3; ky++) {
        const int iy = oy * g.strideHeight - g.padTop + ky;
        if (iy >= 0 && iy < g.inHeight) rows[ky] = image + iy * rowLength;
      }
      overLanes(channels, [&](auto lanes, std::size_t c) {
        using L = decltype(lanes);
        for (int ox = 0; ox < inner.begin; ox++) depthwisePoint<L>(g, image, filter, out, oy, ox, c);
        if (inner.end > inner.begin) {
          depthwiseRow3<L>(g, rows, filter, out + oy * g.outWidth * channels, inner.begin, inner.end, c);
        }
        for (int ox = inner.end > inner.begin ? inner.end : inner.begin; ox < g.outWidth; ox++) {
          depthwisePoint<L>(g, image, filter, out, oy, ox, c);
        }
      });
    }
  }
}

// With stride 1 the gradient is the same convolution with the filter turned around.
inline void depthwiseInputUnit(const Geometry& g, const float* dy, const float* filter, float* dx) {
  const std::size_t channels = g.inChannels;
  const int taps = g.kernelHeight * g.kernelWidth;
  std::vector<float> turned(taps * channels);
  for (int k = 0; k < taps; k++) {
    std::memcpy(&turned[(taps - 1 - k) * channels], filter + k * channels, channels * sizeof(float));
  }
  Geometry reverse = g;
  reverse.inHeight = g.outHeight;
  reverse.inWidth = g.outWidth;
  reverse.outHeight = g.inHeight;
  reverse.outWidth = g.inWidth;
  reverse.padTop = g.kernelHeight - 1 - g.padTop;
  reverse.padLeft = g.kernelWidth - 1 - g.padLeft;
  depthwise(reverse, dy, turned.data(), dx);
}

inline void depthwiseInput(const Geometry& g, const float* dy, const float* filter, float* dx) {
  if (g.strideHeight == 1 && g.strideWidth == 1 && g.padTop < g.kernelHeight && g.padLeft < g.kernelWidth) {
    depthwiseInputUnit(g, dy, filter, dx);
    return;
  }
  const std::size_t channels = g.inChannels;
  for (int b = 0; b < g.batch; b++) {
    const float* gradient = dy + static_cast<std::size_t>(b) * g.outHeight * g.outWidth * channels;
    for (int iy = 0; iy < g.inHeight; iy++) {
      for (int ix = 0; ix < g.inWidth; ix++) {
        float* target = dx + ((static_cast<std::size_t>(b) * g.inHeight + iy) * g.inWidth + ix) * channels;
        overLanes(channels, [&](auto lanes, std::size_t c) {
          using L = decltype(lanes);
          L sum = L::all(0.0f);
          // Kernel indices that are congruent to the input position modulo the stride.
          for (int ky = (iy + g.padTop) % g.strideHeight; ky < g.kernelHeight; ky += g.strideHeight) {
            const int shiftedY = iy + g.padTop - ky;
            const int oy = shiftedY / g.strideHeight;
            if (shiftedY < 0 || oy >= g.outHeight) continue;
            for (int kx = (ix + g.padLeft) % g.strideWidth; kx < g.kernelWidth; kx += g.strideWidth) {
              const int shiftedX = ix + g.padLeft - kx;
              const int ox = shiftedX / g.strideWidth;
              if (shiftedX < 0 || ox >= g.outWidth) continue;
              sum = fma(L::load(gradient + (static_cast<std::size_t>(oy) * g.outWidth + ox) * channels + c),
                        L::load(filter + (ky * g.kernelWidth + kx) * channels + c), sum);
            }
          }
          sum.store(target + c);
        });
      }
    }
  }
}

// One output row adds to the nine sums in registers; rows are added up in float64.
template <class L>
inline void depthwiseFilterRow3(const Geometry& g, const float* const rows[3], const float* dy, int begin, int end,
                                std::size_t c, double* sums) {
  const std::size_t channels = g.inChannels;
  const std::size_t step = static_cast<std::size_t>(g.strideWidth) * channels;
  L sum[9];
  for (int k = 0; k < 9; k++) sum[k] = L::all(0.0f);
  for (int ox = begin; ox < end; ox++) {
    const L gradient = L::load(dy + ox * channels + c);
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(ox) * step - g.padLeft * channels + c;
    for (int k = 0; k < 9; k++) sum[k] = fma(L::load(rows[k / 3] + at + k % 3 * channels), gradient, sum[k]);
  }
  for (int k = 0; k < 9; k++) {
    alignas(64) float part[L::width];
    sum[k].store(part);
    for (int i = 0; i < L::width; i++) sums[k * channels + c + i] += part[i];
  }
}

template <class L>
inline void depthwiseFilterPoint(const Geometry& g, const float* image, const float* dy, int oy, int ox,
                                 std::size_t c, double* sums) {
  const std::size_t channels = g.inChannels;
  const Taps rows = tapsOf(oy, g.strideHeight, g.padTop, g.kernelHeight, g.inHeight);
  const Taps columns = tapsOf(ox, g.strideWidth, g.padLeft, g.kernelWidth, g.inWidth);
  const L gradient = L::load(dy + ox * channels + c);
  for (int ky = rows.begin; ky < rows.end; ky++) {
    const int iy = oy * g.strideHeight - g.padTop + ky;
    for (int kx = columns.begin; kx < columns.end; kx++) {
      const int ix = ox * g.strideWidth - g.padLeft + kx;
      alignas(64) float part[L::width];
      (L::load(image + (static_cast<std::size_t>(iy) * g.inWidth + ix) * channels + c) * gradient).store(part);
      for (int i = 0; i < L::width; i++) sums[(ky * g.kernelWidth + kx) * channels + c + i] += part[i];
    }
  }
}

inline void depthwiseFilter(const Geometry& g, const float* x, const float* dy, float* dFilter) {
  const std::size_t channels = g.inChannels;
  const std::size_t rowLength = g.inWidth * channels;
  const std::size_t size = g.kernelHeight * g.kernelWidth * channels;
  std::vector<double> sums(size, 0.0);
  const Taps inner = g.kernelHeight == 3 && g.kernelWidth == 3 ? innerColumns(g) : Taps{g.outWidth, g.outWidth};
  const std::vector<float> zeros(rowLength, 0.0f);
  for (int b = 0; b < g.batch; b++) {
    const float* image = x + b * g.inHeight * rowLength;
    for (int oy = 0; oy < g.outHeight; oy++) {
      const float* gradient = dy + (static_cast<std::size_t>(b) * g.outHeight + oy) * g.outWidth * channels;
      const float* rows[3] = {zeros.data(), zeros.data(), zeros.data()};
      for (int ky = 0; ky < 3; ky++) {
        const int iy = oy * g.strideHeight - g.padTop + ky;
        if (iy >= 0 && iy < g.inHeight) rows[ky] = image + iy * rowLength;
      }
      overLanes(channels, [&](auto lanes, std::size_t c) {
        using L = decltype(lanes);
        for (int ox = 0; ox < inner.begin; ox++) depthwiseFilterPoint<L>(g, image, gradient, oy, ox, c, sums.data());
        if (inner.end > inner.begin) {
          depthwiseFilterRow3<L>(g, rows, gradient, inner.begin, inner.end, c, sums.data());
        }
        for (int ox = inner.end; ox < g.outWidth; ox++) {
          depthwiseFilterPoint<L>(g, image, gradient, oy, ox, c, sums.data());
        }
      });
    }
  }
  for (std::size_t i = 0; i < size; i++) dFilter[i] = static_cast<float>(sums[i]);
}

}  // namespace FCAENET_VARIANT
