// Convolution as matrix products, one for each tap of the filter. A product has only the output positions whose tap is
// inside the input. On small maps most taps are outside for most positions (5 of 9 on a map of 2 x 2). oneDNN's kernels
// need a copy of the filter in another layout, which costs too much for few positions.
//
// Each thread computes its own columns or rows of the result and adds terms in the order of the taps. The bits do not
// depend on the number of threads or on the sizes of the blocks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels.h"
#include "tiles.h"

namespace FCAENET_VARIANT {

using fcaenet::Geometry;

// Rows that all panels of a block use before the next rows, so that they stay in the cache.
constexpr std::size_t rowsAtOnce = 96;

// One tap: the input and output positions that it connects, as row numbers.
struct TapRows {
  std::vector<std::uint32_t> in, out;
};

// Outputs o of one axis whose tap `tap` is inside: 0 <= o·stride − pad + tap < in.
struct Span {
  int begin, end;
};
inline Span spanOf(int tap, int stride, int pad, int in, int out) {
  const int first = pad - tap, last = in - 1 + pad - tap;
  const int begin = first <= 0 ? 0 : (first + stride - 1) / stride;
  const int end = last < 0 ? 0 : std::min(out, last / stride + 1);
  return {begin, std::max(begin, end)};
}

inline TapRows rowsOf(const Geometry& g, int ky, int kx) {
  const Span rows = spanOf(ky, g.strideHeight, g.padTop, g.inHeight, g.outHeight);
  const Span columns = spanOf(kx, g.strideWidth, g.padLeft, g.inWidth, g.outWidth);
  TapRows tap;
  const std::size_t count = static_cast<std::size_t>(g.batch) * (rows.end - rows.begin) * (columns.end - columns.begin);
  tap.in.reserve(count);
  tap.out.reserve(count);
  for (int image = 0; image < g.batch; image++) {
    for (int oy = rows.begin; oy < rows.end; oy++) {
      const std::uint32_t iy = oy * g.strideHeight - g.padTop + ky;
      for (int ox = columns.begin; ox < columns.end; ox++) {
        const std::uint32_t ix = ox * g.strideWidth - g.padLeft + kx;
        tap.in.push_back((static_cast<std::uint32_t>(image) * g.inHeight + iy) * g.inWidth + ix);
        tap.out.push_back((static_cast<std::uint32_t>(image) * g.outHeight + oy) * g.outWidth + ox);
      }
    }
  }
  return tap;
}

// c[rowsC[i]] += a[rowsA[i]] · matrix(tap) for every tap. `pack` copies one panel of a tap's matrix into the cache.
template <class RowsA, class RowsC, class Pack>
inline void sumOfProducts(const Geometry& g, const float* a, std::size_t aWidth, RowsA rowsA, float* c,
                          std::size_t cWidth, std::size_t cRows, RowsC rowsC, Pack pack) {
  std::vector<TapRows> taps;
  for (int ky = 0; ky < g.kernelHeight; ky++) {
    for (int kx = 0; kx < g.kernelWidth; kx++) taps.push_back(rowsOf(g, ky, kx));
  }
  const std::size_t depthAtOnce = blockDepth(cWidth);
#pragma omp parallel
  {
    const Share panels = shareOf(cWidth / panelWidth);
    const std::size_t firstColumn = panels.begin * panelWidth;
    for (std::size_t row = 0; row < cRows; row++) {
      std::memset(c + row * cWidth + firstColumn, 0, (panels.end - panels.begin) * panelWidth * sizeof(float));
    }
    float* packed = scratch<0>((panels.end - panels.begin) * panelWidth * depthAtOnce);
    for (std::size_t t = 0; t < taps.size(); t++) {
      const auto& fromRows = rowsA(taps[t]);
      const auto& toRows = rowsC(taps[t]);
      if (fromRows.empty()) continue;
      for (std::size_t k = 0; k < aWidth; k += depthAtOnce) {
        const std::size_t depth = std::min(depthAtOnce, aWidth - k);
        pack(t, k, depth, panels, packed);
        for (std::size_t start = 0; start < fromRows.size(); start += rowsAtOnce) {
          const std::size_t end = std::min(fromRows.size(), start + rowsAtOnce);
          for (std::size_t p = panels.begin; p < panels.end; p++) {
            const float* panel = packed + (p - panels.begin) * panelWidth * depth;
            for (std::size_t i = start; i < end; i += tileRows) {
              const std::size_t rows = std::min<std::size_t>(tileRows, end - i);
              const float* from[tileRows];
              float* to[tileRows];
              for (std::size_t r = 0; r < rows; r++) {
                from[r] = a + fromRows[i + r] * aWidth + k;
                to[r] = c + toRows[i + r] * cWidth + p * panelWidth;
              }
              tileOf<true>(rows, depth, from, 1, panel, to);
            }
          }
        }
      }
    }
  }
}

inline void tapForward(const Geometry& g, const float* x, const float* filter, float* y) {
  const std::size_t in = g.inChannels, out = g.outChannels;
  sumOfProducts(
      g, x, in, [](const TapRows& tap) -> auto& { return tap.in; }, y, out,
      static_cast<std::size_t>(g.batch) * g.outHeight * g.outWidth, [](const TapRows& tap) -> auto& { return tap.out; },
      [=](std::size_t tap, std::size_t k, std::size_t depth, Share panels, float* packed) {
        const float* first = filter + (tap * in + k) * out;
        packGroups<panelWidth>([=](std::size_t row) { return first + row * out; }, depth, panels.begin * panelWidth,
                               panels.end * panelWidth, packed);
      });
}

inline void tapInput(const Geometry& g, const float* dy, const float* filter, float* dx) {
  const std::size_t in = g.inChannels, out = g.outChannels;
  sumOfProducts(
      g, dy, out, [](const TapRows& tap) -> auto& { return tap.out; }, dx, in,
      static_cast<std::size_t>(g.batch) * g.inHeight * g.inWidth, [](const TapRows& tap) -> auto& { return tap.in; },
      [=](std::size_t tap, std::size_t k, std::size_t depth, Share panels, float* packed) {
        for (std::size_t p = panels.begin; p < panels.end; p++) {
          packColumns(filter + (tap * in + p * panelWidth) * out + k, out, depth,
                      packed + (p - panels.begin) * panelWidth * depth);
        }
      });
}

// dFilter(tap) = x[in rows]ᵀ · dy[out rows]
inline void tapFilter(const Geometry& g, const float* x, const float* dy, float* dFilter) {
  const std::size_t in = g.inChannels, out = g.outChannels;
  const std::size_t depthAtOnce = blockDepth(std::max(in, out));
#pragma omp parallel
  {
    const Share tiles = shareOf((in + tileRows - 1) / tileRows);
    const std::size_t panels = out / panelWidth;
    float* packedX = scratch<0>((tiles.end - tiles.begin) * tileRows * depthAtOnce);
    float* packedDy = scratch<1>(out * depthAtOnce);
    for (int t = 0; t < g.kernelHeight * g.kernelWidth; t++) {
      const TapRows tap = rowsOf(g, t / g.kernelWidth, t % g.kernelWidth);
      float* result = dFilter + t * in * out;
      const std::size_t first = tiles.begin * tileRows, last = std::min(in, tiles.end * tileRows);
      if (tap.in.empty()) std::memset(result + first * out, 0, (last - first) * out * sizeof(float));
      for (std::size_t start = 0; start < tap.in.size(); start += depthAtOnce) {
        const std::size_t rows = std::min(depthAtOnce, tap.in.size() - start);
        packGroups<panelWidth>([&](std::size_t row) { return dy + tap.out[start + row] * out; }, rows, 0, out,
                               packedDy);
        packGroups<tileRows>([&](std::size_t row) { return x + tap.in[start + row] * in; }, rows, first, last,
                             packedX);
        for (std::size_t i = first; i < last; i += tileRows) {
          const std::size_t count = std::min<std::size_t>(tileRows, last - i);
          const float* from[tileRows];
          float* to[tileRows];
          for (std::size_t r = 0; r < count; r++) from[r] = packedX + (i - first) * rows + r;
          for (std::size_t p = 0; p < panels; p++) {
            for (std::size_t r = 0; r < count; r++) to[r] = result + (i + r) * out + p * panelWidth;
            const float* panel = packedDy + p * rows * panelWidth;
            if (start == 0) {
              tileOf<false>(count, rows, from, tileRows, panel, to);
            } else {
              tileOf<true>(count, rows, from, tileRows, panel, to);
            }
          }
        }
      }
    }
  }
}

}  // namespace FCAENET_VARIANT
