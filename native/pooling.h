// Max pooling. Positions outside the input are never the maximum.
#pragma once

#include <cstring>
#include <limits>

#include "kernels.h"
#include "lanes.h"

namespace FCAENET_VARIANT {

using fcaenet::Geometry;

// Taps of one axis that are inside the input for an output position: kernel indices [begin, end).
struct Taps {
  int begin, end;
};
inline Taps tapsOf(int out, int stride, int pad, int kernel, int in) {
  const int start = out * stride - pad;
  const int begin = start < 0 ? -start : 0;
  const int end = start + kernel > in ? in - start : kernel;
  return {begin, end > begin ? end : begin};
}

inline void maxPool(const Geometry& g, const float* x, float* y) {
  const std::size_t channels = g.inChannels;
  for (int b = 0; b < g.batch; b++) {
    const float* image = x + static_cast<std::size_t>(b) * g.inHeight * g.inWidth * channels;
    for (int oy = 0; oy < g.outHeight; oy++) {
      const Taps rows = tapsOf(oy, g.strideHeight, g.padTop, g.kernelHeight, g.inHeight);
      for (int ox = 0; ox < g.outWidth; ox++) {
        const Taps columns = tapsOf(ox, g.strideWidth, g.padLeft, g.kernelWidth, g.inWidth);
        float* target = y + ((static_cast<std::size_t>(b) * g.outHeight + oy) * g.outWidth + ox) * channels;
        overLanes(channels, [&](auto lanes, std::size_t c) {
          using L = decltype(lanes);
          L largest = L::all(-std::numeric_limits<float>::infinity());
          for (int ky = rows.begin; ky < rows.end; ky++) {
            const int iy = oy * g.strideHeight - g.padTop + ky;
            for (int kx = columns.begin; kx < columns.end; kx++) {
              const int ix = ox * g.strideWidth - g.padLeft + kx;
              largest = max(largest, L::load(image + (static_cast<std::size_t>(iy) * g.inWidth + ix) * channels + c));
            }
          }
          largest.store(target + c);
        });
      }
    }
  }
}

inline void maxPoolInput(const Geometry& g, const float* x, const float* y, const float* dy, float* dx) {
  const std::size_t channels = g.inChannels;
  const std::size_t imageSize = static_cast<std::size_t>(g.inHeight) * g.inWidth * channels;
  std::memset(dx, 0, g.batch * imageSize * sizeof(float));
  for (int b = 0; b < g.batch; b++) {
    for (int oy = 0; oy < g.outHeight; oy++) {
      const Taps rows = tapsOf(oy, g.strideHeight, g.padTop, g.kernelHeight, g.inHeight);
      for (int ox = 0; ox < g.outWidth; ox++) {
        const Taps columns = tapsOf(ox, g.strideWidth, g.padLeft, g.kernelWidth, g.inWidth);
        const std::size_t out = ((static_cast<std::size_t>(b) * g.outHeight + oy) * g.outWidth + ox) * channels;
        for (std::size_t c0 = 0; c0 < channels; c0 += 64) {
          const std::size_t width = channels - c0 < 64 ? channels - c0 : 64;
          alignas(64) float left[64];  // values of dy that are not yet added to an input
          std::memcpy(left, dy + out + c0, width * sizeof(float));
          for (int ky = rows.begin; ky < rows.end; ky++) {
            const int iy = oy * g.strideHeight - g.padTop + ky;
            for (int kx = columns.begin; kx < columns.end; kx++) {
              const int ix = ox * g.strideWidth - g.padLeft + kx;
              const std::size_t at = b * imageSize + (static_cast<std::size_t>(iy) * g.inWidth + ix) * channels + c0;
              for (std::size_t c = 0; c < width; c++) {
                const bool found = x[at + c] == y[out + c0 + c];
                dx[at + c] += found ? left[c] : 0.0f;
                left[c] = found ? 0.0f : left[c];
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace FCAENET_VARIANT
