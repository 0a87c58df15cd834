// Convolution of 3 x 3 taps and stride 1 by Winograd's minimal filtering F(2 x 2, 3 x 3) (Lavin and Gray 2015, section
// 4.1): 16 products for 4 outputs instead of 36. With d a patch of 4 x 4 inputs and g the filter,
// y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A. The products are summed over the channels as 16 matrix products.
//
// Each patch is computed separately, so the bits do not depend on the number of threads.
#pragma once

#include <algorithm>

#include "kernels.h"
#include "tiles.h"

namespace FCAENET_VARIANT {

using fcaenet::Geometry;

constexpr int patchSide = 4;
constexpr int patchSize = patchSide * patchSide;
// The number of patches that are computed together: a multiple of the tile's rows, and few enough that their transforms
// stay in the cache.
constexpr std::size_t patchesAtOnce = 4 * tileRows;

// An image with `channels` values for each position, and the patches that cover the result.
struct PatchGrid {
  int batch, inHeight, inWidth, outHeight, outWidth, padTop, padLeft;
  std::size_t inChannels, outChannels;
  int down() const { return (outHeight + 1) / 2; }
  int across() const { return (outWidth + 1) / 2; }
  std::size_t patches() const { return static_cast<std::size_t>(batch) * down() * across(); }
};
struct Patch {
  int image, y, x;  // of its first output
};
inline Patch patchOf(const PatchGrid& grid, std::size_t index) {
  const std::size_t perImage = static_cast<std::size_t>(grid.down()) * grid.across();
  const int within = static_cast<int>(index % perImage);
  return {static_cast<int>(index / perImage), within / grid.across() * 2, within % grid.across() * 2};
}

// G g Gᵀ for the taps g of one input channel and a panel of output channels.
template <class Tap>
inline void transformFilter(Tap tap, std::size_t elementStride, float* to) {
  using L = Widest;
  const L half = L::all(0.5f);
  for (int n = 0; n < tileGroups; n++) {
    L rows[patchSide][3];
    for (int x = 0; x < 3; x++) {
      const L top = L::load(tap(0, x) + n * L::width), bottom = L::load(tap(2, x) + n * L::width);
      const L middle = L::load(tap(1, x) + n * L::width);
      rows[0][x] = top;
      rows[1][x] = (top + bottom + middle) * half;
      rows[2][x] = (top + bottom - middle) * half;
      rows[3][x] = bottom;
    }
    for (int y = 0; y < patchSide; y++) {
      const L sum = rows[y][0] + rows[y][2];
      const L columns[patchSide] = {rows[y][0], (sum + rows[y][1]) * half, (sum - rows[y][1]) * half, rows[y][2]};
      for (int x = 0; x < patchSide; x++) {
        columns[x].store(to + (y * patchSide + x) * elementStride + n * L::width);
      }
    }
  }
}

// Bᵀ d B for all channels of one patch. Values outside the image are 0. Element e of lane group c is stored at
// to + e·elementStride + c·groupStride.
inline void transformPatch(const PatchGrid& grid, const float* x, Patch patch, std::size_t elementStride,
                           std::size_t groupStride, float* to) {
  using L = Widest;
  const int top = patch.y - grid.padTop, left = patch.x - grid.padLeft;
  const float* from[patchSize];
  for (int i = 0; i < patchSize; i++) {
    const int iy = top + i / patchSide, ix = left + i % patchSide;
    const bool inside = iy >= 0 && iy < grid.inHeight && ix >= 0 && ix < grid.inWidth;
    const std::size_t row = (static_cast<std::size_t>(patch.image) * grid.inHeight + iy) * grid.inWidth + ix;
    from[i] = inside ? x + row * grid.inChannels : nullptr;
  }
  for (std::size_t c = 0; c < grid.inChannels; c += L::width) {
    const auto value = [&](int i) { return from[i] ? L::load(from[i] + c) : L::all(0.0f); };
    L rows[patchSide][patchSide];
    for (int j = 0; j < patchSide; j++) {
      const L first = value(j), second = value(patchSide + j), third = value(2 * patchSide + j);
      rows[0][j] = first - third;
      rows[1][j] = second + third;
      rows[2][j] = third - second;
      rows[3][j] = second - value(3 * patchSide + j);
    }
    for (int i = 0; i < patchSide; i++) {
      float* target = to + i * patchSide * elementStride + c / L::width * groupStride;
      (rows[i][0] - rows[i][2]).store(target);
      (rows[i][1] + rows[i][2]).store(target + elementStride);
      (rows[i][2] - rows[i][1]).store(target + 2 * elementStride);
      (rows[i][1] - rows[i][3]).store(target + 3 * elementStride);
    }
  }
}

// Aᵀ m A for all channels of one patch. Only outputs inside the result are stored.
inline void transformOutput(const PatchGrid& grid, const float* from, std::size_t elementStride, Patch patch,
                            float* y) {
  using L = Widest;
  const bool hasRight = patch.x + 1 < grid.outWidth, hasBelow = patch.y + 1 < grid.outHeight;
  const std::size_t row = (static_cast<std::size_t>(patch.image) * grid.outHeight + patch.y) * grid.outWidth + patch.x;
  float* first = y + row * grid.outChannels;
  float* below = first + grid.outWidth * grid.outChannels;
  for (std::size_t c = 0; c < grid.outChannels; c += L::width) {
    L upper[patchSide], lower[patchSide];
    for (int j = 0; j < patchSide; j++) {
      const auto value = [&](int i) { return L::load(from + (i * patchSide + j) * elementStride + c); };
      const L second = value(1), third = value(2);
      upper[j] = value(0) + second + third;
      lower[j] = second - third - value(3);
    }
    (upper[0] + upper[1] + upper[2]).store(first + c);
    if (hasRight) (upper[1] - upper[2] - upper[3]).store(first + grid.outChannels + c);
    if (!hasBelow) continue;
    (lower[0] + lower[1] + lower[2]).store(below + c);
    if (hasRight) (lower[1] - lower[2] - lower[3]).store(below + grid.outChannels + c);
  }
}

// `transformRow(k, panel, stride, to)` transforms the filter from input channel k to a panel of output channels.
template <class TransformRow>
inline void sumOfPatches(const PatchGrid& grid, const float* x, float* y, TransformRow transformRow) {
  const std::size_t in = grid.inChannels, out = grid.outChannels, panels = out / panelWidth;
  // Of the filter: [panel][element][input channel][output channel in panel].
  float* filter = scratch<2>(patchSize * in * out);
#pragma omp parallel
  {
    const Share own = shareOf(panels);
    for (std::size_t p = own.begin; p < own.end; p++) {
      for (std::size_t k = 0; k < in; k++) {
        transformRow(k, p, in * panelWidth, filter + (p * patchSize * in + k) * panelWidth);
      }
    }
#pragma omp barrier
    float* patches = scratch<0>(patchSize * patchesAtOnce * in);
    float* products = scratch<1>(patchSize * patchesAtOnce * out);
    const Share blocks = shareOf((grid.patches() + patchesAtOnce - 1) / patchesAtOnce);
    for (std::size_t block = blocks.begin; block < blocks.end; block++) {
      const std::size_t first = block * patchesAtOnce;
      const std::size_t count = std::min(patchesAtOnce, grid.patches() - first);
      for (std::size_t i = 0; i < count; i++) {
        transformPatch(grid, x, patchOf(grid, first + i), patchesAtOnce * in, Widest::width,
                       patches + i * in);
      }
      for (int e = 0; e < patchSize; e++) {
        for (std::size_t p = 0; p < panels; p++) {
          const float* panel = filter + (p * patchSize + e) * in * panelWidth;
          for (std::size_t i = 0; i < count; i += tileRows) {
            const std::size_t rows = std::min<std::size_t>(tileRows, count - i);
            const float* from[tileRows];
            float* to[tileRows];
            for (std::size_t r = 0; r < rows; r++) {
              from[r] = patches + (e * patchesAtOnce + i + r) * in;
              to[r] = products + (e * patchesAtOnce + i + r) * out + p * panelWidth;
            }
            tileOf<false>(rows, in, from, 1, panel, to);
          }
        }
      }
      for (std::size_t i = 0; i < count; i++) {
        transformOutput(grid, products + i * out, patchesAtOnce * out, patchOf(grid, first + i), y);
      }
    }
  }
}

inline void winogradForward(const Geometry& g, const float* x, const float* filter, float* y) {
  const std::size_t in = g.inChannels, out = g.outChannels;
  const PatchGrid grid = {g.batch, g.inHeight, g.inWidth, g.outHeight, g.outWidth, g.padTop, g.padLeft, in, out};
  sumOfPatches(grid, x, y, [=](std::size_t k, std::size_t panel, std::size_t elementStride, float* to) {
    const float* taps = filter + k * out + panel * panelWidth;
    transformFilter([=](int ky, int kx) { return taps + (ky * 3 + kx) * in * out; }, elementStride, to);
  });
}

// The gradient is the convolution of dy with the filter rotated by 180 degrees.
inline void winogradInput(const Geometry& g, const float* dy, const float* filter, float* dx) {
  const std::size_t in = g.inChannels, out = g.outChannels;
  const int padTop = 2 - g.padTop, padLeft = 2 - g.padLeft;
  const PatchGrid grid = {g.batch, g.outHeight, g.outWidth, g.inHeight, g.inWidth, padTop, padLeft, out, in};
  sumOfPatches(grid, dy, dx, [=](std::size_t k, std::size_t panel, std::size_t elementStride, float* to) {
    // The first of eight rows copies all eight.
    constexpr std::size_t rowsAtOnce = 8;
    thread_local float turned[9 * rowsAtOnce * panelWidth];
    if (k % rowsAtOnce == 0) {
      for (int t = 0; t < 9; t++) {
        packColumns(filter + (t * in + panel * panelWidth) * out + k, out, rowsAtOnce,
                    turned + t * rowsAtOnce * panelWidth);
      }
    }
    const float* row = turned + k % rowsAtOnce * panelWidth;
    transformFilter([=](int ky, int kx) { return row + (8 - ky * 3 - kx) * rowsAtOnce * panelWidth; }, elementStride,
                    to);
  });
}

}  // namespace FCAENET_VARIANT
