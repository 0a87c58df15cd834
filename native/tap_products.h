// Convolution as matrix products, one per tap of the filter, over those output positions only whose tap lies inside the
// input. On small maps most taps lie outside for most positions (5 of 9 on a map of 2 x 2), and a filter that is used
// for few positions is not worth the copy in another layout that oneDNN's kernels ask for.
//
// Every thread computes columns or rows of the result of its own, term by term in the order of the taps, so the bits
// depend neither on the number of threads nor on the sizes of the blocks.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels.h"
#include "lanes.h"

namespace FCAENET_VARIANT {

using fcaenet::Geometry;

// The tile of the result that stays in registers: groups of lanes across, and rows, for 16 or 32 registers.
constexpr int tileGroups = 2;
constexpr int tileRows = Widest::width > 8 ? 12 : 6;
constexpr std::size_t panelWidth = tileGroups * Widest::width;

// Floats of a packed block, so that it stays in the second-level cache.
constexpr std::size_t blockFloats = 65536;
inline std::size_t blockDepth(std::size_t width) {
  return std::clamp<std::size_t>(blockFloats / width, 32, 256);
}

// Rows that every panel of a block meets before the next rows come, so that they stay in the cache as well.
constexpr std::size_t rowsAtOnce = 96;

// One tap: the positions of the input and of the output that it joins, as row numbers.
struct TapRows {
  std::vector<std::uint32_t> in, out;
};

// Outputs o of one axis whose tap `tap` lies inside: 0 <= o·stride − pad + tap < in.
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

// This thread's share of `count` things.
struct Share {
  std::size_t begin, end;
};
inline Share shareOf(std::size_t count) {
  const std::size_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
  return {count * thread / threads, count * (thread + 1) / threads};
}

// Memory of this thread that is kept from call to call; `slot` tells two uses at once apart.
template <int slot>
inline float* scratch(std::size_t count) {
  thread_local std::vector<float> memory;
  if (memory.size() < count + 16) memory.resize(count + 16);
  const std::size_t address = reinterpret_cast<std::size_t>(memory.data());
  return memory.data() + (64 - address % 64) % 64 / sizeof(float);
}

// c[r][0..panelWidth) (+)= Σ_k a(r, k) · b[k]; a's element (r, k) lies at a[r][k·aStep].
template <int R, bool adds>
inline void tile(std::size_t depth, const float* const* a, std::size_t aStep, const float* b, float* const* c) {
  using L = Widest;
  L sum[R][tileGroups];
  const float* row[R];
  for (int r = 0; r < R; r++) {
    row[r] = a[r];
    for (int n = 0; n < tileGroups; n++) sum[r][n] = adds ? L::load(c[r] + n * L::width) : L::all(0.0f);
  }
  for (std::size_t k = 0; k < depth; k++) {
    L column[tileGroups];
    for (int n = 0; n < tileGroups; n++) column[n] = L::load(b + k * panelWidth + n * L::width);
    for (int r = 0; r < R; r++) {
      const L factor = L::all(row[r][k * aStep]);
      for (int n = 0; n < tileGroups; n++) sum[r][n] = fma(factor, column[n], sum[r][n]);
    }
  }
  for (int r = 0; r < R; r++) {
    for (int n = 0; n < tileGroups; n++) sum[r][n].store(c[r] + n * L::width);
  }
}

// The same for up to tileRows rows.
template <bool adds, int R = tileRows>
inline void tileOf(std::size_t rows, std::size_t depth, const float* const* a, std::size_t aStep, const float* b,
                   float* const* c) {
  if constexpr (R > 0) {
    if (rows == R) return tile<R, adds>(depth, a, aStep, b, c);
    tileOf<adds, R - 1>(rows, depth, a, aStep, b, c);
  }
}

// to[k][0..panelWidth) = from[k][first..first + panelWidth), rows of `width` values.
inline void packRows(const float* from, std::size_t width, std::size_t depth, float* to) {
  for (std::size_t k = 0; k < depth; k++) {
    for (int n = 0; n < tileGroups; n++) {
      Widest::load(from + k * width + n * Widest::width).store(to + k * panelWidth + n * Widest::width);
    }
  }
}

// to[k][j] = from[j][k] for j below panelWidth, rows of `width` values.
inline void packColumns(const float* from, std::size_t width, std::size_t depth, float* to) {
  std::size_t k = 0;
  for (; k + 8 <= depth; k += 8) {
    for (std::size_t j = 0; j < panelWidth; j += 8) {
      transpose8(from + j * width + k, width, to + k * panelWidth + j, panelWidth);
    }
  }
  for (; k < depth; k++) {
    for (std::size_t j = 0; j < panelWidth; j++) to[k * panelWidth + j] = from[j * width + k];
  }
}

// c[rowsC[i]] += a[rowsA[i]] · matrix(tap) for every tap; `pack` brings one panel of a tap's matrix into the cache.
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
        const float* rows = filter + (tap * in + k) * out;
        for (std::size_t p = panels.begin; p < panels.end; p++) {
          packRows(rows + p * panelWidth, out, depth, packed + (p - panels.begin) * panelWidth * depth);
        }
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
        for (std::size_t j = 0; j < rows; j++) {
          const float* from = dy + tap.out[start + j] * out;
          for (std::size_t p = 0; p < panels; p++) {
            packRows(from + p * panelWidth, 0, 1, packedDy + (p * rows + j) * panelWidth);
          }
          const float* source = x + tap.in[start + j] * in;
          for (std::size_t i = first; i < last; i += tileRows) {
            float* target = packedX + (i - first) * rows + j * tileRows;
            if (i + tileRows <= last) {
              std::memcpy(target, source + i, tileRows * sizeof(float));
            } else {
              std::memcpy(target, source + i, (last - i) * sizeof(float));
            }
          }
        }
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
