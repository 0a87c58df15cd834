// Depthwise convolution, channel multiplier 1. Each image is first copied into a buffer with borders of zeros, so the
// loops need no special cases. Channels are contiguous, so every step computes whole lanes of channels.
#pragma once

#include <cstring>
#include <vector>

#include "kernels.h"
#include "lanes.h"

namespace FCAENET_VARIANT {

using fcaenet::Geometry;

// A convolution over images that include their padding.
struct PaddedGeometry {
  int height, width;  // of the padded image
  int outHeight, outWidth;
  int kernelHeight, kernelWidth;
  int strideHeight, strideWidth;
  std::size_t channels;

  std::size_t outSize() const { return static_cast<std::size_t>(outHeight) * outWidth * channels; }
  const float* window(const float* image, int oy, int ox) const {
    return image + (static_cast<std::size_t>(oy) * strideHeight * width + ox * strideWidth) * channels;
  }
};

// Copies images into one buffer. Pixels are `spacing` apart, after `top` rows and `left` columns of zeros. Pixels
// outside the buffer are left out.
class PaddedImage {
 public:
  PaddedImage(int height, int width, std::size_t channels)
      : height_(height), width_(width), channels_(channels), values_(height * width * channels, 0.0f) {}

  const float* fill(const float* image, int height, int width, int top, int left, int spacingY, int spacingX) {
    for (int y = 0; y < height; y++) {
      const int row = top + y * spacingY;
      if (row < 0 || row >= height_) continue;
      const float* source = image + static_cast<std::size_t>(y) * width * channels_;
      float* target = values_.data() + static_cast<std::size_t>(row) * width_ * channels_;
      if (spacingX == 1 && left >= 0) {
        const int count = left + width > width_ ? width_ - left : width;
        if (count > 0) std::memcpy(target + left * channels_, source, count * channels_ * sizeof(float));
        continue;
      }
      for (int x = 0; x < width; x++) {
        const int column = left + x * spacingX;
        if (column < 0 || column >= width_) continue;
        std::memcpy(target + column * channels_, source + x * channels_, channels_ * sizeof(float));
      }
    }
    return values_.data();
  }

 private:
  int height_, width_;
  std::size_t channels_;
  std::vector<float> values_;
};

// Output rows that are computed for one group of channels before the next group, so that their input stays in the
// cache.
struct Rows {
  int begin, end;
};
inline int rowsTogether(const PaddedGeometry& g) {
  const std::size_t rows = 8192 / (g.outWidth * g.channels);
  return rows < 1 ? 1 : static_cast<int>(rows);
}

// The nine weights of a 3×3 kernel stay in registers.
template <class L>
inline void depthwise3(const PaddedGeometry& g, const float* image, const float* filter, float* y, Rows rows,
                       std::size_t c) {
  const std::size_t row = g.width * g.channels;
  L w[9];
  for (int k = 0; k < 9; k++) w[k] = L::load(filter + k * g.channels + c);
  for (int oy = rows.begin; oy < rows.end; oy++) {
    for (int ox = 0; ox < g.outWidth; ox++) {
      const float* x = g.window(image, oy, ox) + c;
      L sum[3];
      for (int ky = 0; ky < 3; ky++) {
        sum[ky] = L::load(x + ky * row) * w[ky * 3];
        sum[ky] = fma(L::load(x + ky * row + g.channels), w[ky * 3 + 1], sum[ky]);
        sum[ky] = fma(L::load(x + ky * row + 2 * g.channels), w[ky * 3 + 2], sum[ky]);
      }
      (sum[0] + sum[1] + sum[2]).store(y + (static_cast<std::size_t>(oy) * g.outWidth + ox) * g.channels + c);
    }
  }
}

template <class L>
inline void depthwiseAny(const PaddedGeometry& g, const float* image, const float* filter, float* y, Rows rows,
                         std::size_t c) {
  for (int oy = rows.begin; oy < rows.end; oy++) {
    for (int ox = 0; ox < g.outWidth; ox++) {
      const float* x = g.window(image, oy, ox) + c;
      L sum = L::all(0.0f);
      for (int ky = 0; ky < g.kernelHeight; ky++) {
        for (int kx = 0; kx < g.kernelWidth; kx++) {
          const std::size_t tap = ky * g.kernelWidth + kx;
          sum = fma(L::load(x + (ky * g.width + kx) * g.channels), L::load(filter + tap * g.channels + c), sum);
        }
      }
      sum.store(y + (static_cast<std::size_t>(oy) * g.outWidth + ox) * g.channels + c);
    }
  }
}

inline void depthwiseImage(const PaddedGeometry& g, const float* image, const float* filter, float* y) {
  const int together = rowsTogether(g);
  for (int begin = 0; begin < g.outHeight; begin += together) {
    const Rows rows = {begin, begin + together < g.outHeight ? begin + together : g.outHeight};
    overLanes(g.channels, [&](auto lanes, std::size_t c) {
      using L = decltype(lanes);
      if (g.kernelHeight == 3 && g.kernelWidth == 3) {
        depthwise3<L>(g, image, filter, y, rows, c);
      } else {
        depthwiseAny<L>(g, image, filter, y, rows, c);
      }
    });
  }
}

inline PaddedGeometry padded(const Geometry& g) {
  return {(g.outHeight - 1) * g.strideHeight + g.kernelHeight,
          (g.outWidth - 1) * g.strideWidth + g.kernelWidth,
          g.outHeight,
          g.outWidth,
          g.kernelHeight,
          g.kernelWidth,
          g.strideHeight,
          g.strideWidth,
          static_cast<std::size_t>(g.inChannels)};
}

inline void depthwise(const Geometry& g, const float* x, const float* filter, float* y) {
  const PaddedGeometry p = padded(g);
  const std::size_t inSize = static_cast<std::size_t>(g.inHeight) * g.inWidth * p.channels;
  PaddedImage image(p.height, p.width, p.channels);
  for (int b = 0; b < g.batch; b++) {
    const float* values = image.fill(x + b * inSize, g.inHeight, g.inWidth, g.padTop, g.padLeft, 1, 1);
    depthwiseImage(p, values, filter, y + b * p.outSize());
  }
}

// The gradient is a convolution of stride 1. Its filter is rotated by 180 degrees, and its input is dy with zeros
// between the values.
inline void depthwiseInput(const Geometry& g, const float* dy, const float* filter, float* dx) {
  const std::size_t channels = g.inChannels;
  const int taps = g.kernelHeight * g.kernelWidth;
  std::vector<float> turned(taps * channels);
  for (int k = 0; k < taps; k++) {
    std::memcpy(&turned[(taps - 1 - k) * channels], filter + k * channels, channels * sizeof(float));
  }
  const PaddedGeometry p = {g.inHeight - 1 + g.kernelHeight,
                            g.inWidth - 1 + g.kernelWidth,
                            g.inHeight,
                            g.inWidth,
                            g.kernelHeight,
                            g.kernelWidth,
                            1,
                            1,
                            channels};
  const std::size_t gradientSize = static_cast<std::size_t>(g.outHeight) * g.outWidth * channels;
  PaddedImage gradient(p.height, p.width, channels);
  for (int b = 0; b < g.batch; b++) {
    const float* values =
        gradient.fill(dy + b * gradientSize, g.outHeight, g.outWidth, g.kernelHeight - 1 - g.padTop,
                      g.kernelWidth - 1 - g.padLeft, g.strideHeight, g.strideWidth);
    depthwiseImage(p, values, turned.data(), dx + b * p.outSize());
  }
}

// Adds lanes of float32 sums to float64 sums.
template <class L>
inline void addLanes(const L& part, double* sums) {
  alignas(64) float values[L::width];
  part.store(values);
  for (int i = 0; i < L::width; i++) sums[i] += values[i];
}

// The largest number of outputs (or one row) that a float32 sum in registers has. Float64 sums add these partial sums.
constexpr int termsPerFilterSum = 256;

template <class L>
inline void depthwiseFilter3(const PaddedGeometry& g, const float* image, const float* dy, double* sums, Rows rows,
                             std::size_t c) {
  const std::size_t row = g.width * g.channels;
  L sum[9];
  for (int k = 0; k < 9; k++) sum[k] = L::all(0.0f);
  for (int oy = rows.begin; oy < rows.end; oy++) {
    for (int ox = 0; ox < g.outWidth; ox++) {
      const float* x = g.window(image, oy, ox) + c;
      const L gradient = L::load(dy + (static_cast<std::size_t>(oy) * g.outWidth + ox) * g.channels + c);
      for (int k = 0; k < 9; k++) {
        sum[k] = fma(L::load(x + k / 3 * row + k % 3 * g.channels), gradient, sum[k]);
      }
    }
  }
  for (int k = 0; k < 9; k++) addLanes(sum[k], sums + k * g.channels + c);
}

template <class L>
inline void depthwiseFilterAny(const PaddedGeometry& g, const float* image, const float* dy, double* sums, Rows rows,
                               std::size_t c) {
  for (int ky = 0; ky < g.kernelHeight; ky++) {
    for (int kx = 0; kx < g.kernelWidth; kx++) {
      L sum = L::all(0.0f);
      for (int oy = rows.begin; oy < rows.end; oy++) {
        for (int ox = 0; ox < g.outWidth; ox++) {
          const float* x = g.window(image, oy, ox) + (ky * g.width + kx) * g.channels + c;
          sum = fma(L::load(x), L::load(dy + (static_cast<std::size_t>(oy) * g.outWidth + ox) * g.channels + c), sum);
        }
      }
      addLanes(sum, sums + (ky * g.kernelWidth + kx) * g.channels + c);
    }
  }
}

inline void depthwiseFilter(const Geometry& g, const float* x, const float* dy, float* dFilter) {
  const PaddedGeometry p = padded(g);
  const std::size_t inSize = static_cast<std::size_t>(g.inHeight) * g.inWidth * p.channels;
  const std::size_t size = g.kernelHeight * g.kernelWidth * p.channels;
  const int shortSums = termsPerFilterSum / g.outWidth > 0 ? termsPerFilterSum / g.outWidth : 1;
  const int together = rowsTogether(p) < shortSums ? rowsTogether(p) : shortSums;
  std::vector<double> sums(size, 0.0);
  PaddedImage image(p.height, p.width, p.channels);
  for (int b = 0; b < g.batch; b++) {
    const float* values = image.fill(x + b * inSize, g.inHeight, g.inWidth, g.padTop, g.padLeft, 1, 1);
    const float* gradient = dy + b * p.outSize();
    for (int begin = 0; begin < g.outHeight; begin += together) {
      const Rows rows = {begin, begin + together < g.outHeight ? begin + together : g.outHeight};
      overLanes(p.channels, [&](auto lanes, std::size_t c) {
        using L = decltype(lanes);
        if (g.kernelHeight == 3 && g.kernelWidth == 3) {
          depthwiseFilter3<L>(p, values, gradient, sums.data(), rows, c);
        } else {
          depthwiseFilterAny<L>(p, values, gradient, sums.data(), rows, c);
        }
      });
    }
  }
  for (std::size_t i = 0; i < size; i++) dFilter[i] = static_cast<float>(sums[i]);
}

}  // namespace FCAENET_VARIANT
