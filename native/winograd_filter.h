// The filter gradient of Winograd's F(2 x 2, 3 x 3). With V = Bᵀ d B of a patch and the gradients dy of its 4 outputs,
// the transformed filter's gradient is the sum over the patches of V ⊙ (A dy Aᵀ), and dg = Gᵀ dU G.
//
// Every value is summed by one thread in the order of the patches, so the bits do not depend on the number of threads.
#pragma once

#include "winograd.h"

namespace FCAENET_VARIANT {

// Rows of a tile. A group of lanes is a multiple of it, so transformed patches are used in the layout in which they are
// stored.
constexpr int filterTileRows = 4;

// A dy Aᵀ for all channels of one patch. Outputs outside are 0. Element e of channel c is stored at
// to + e·elementStride + (c / panelWidth)·panelStride + c % panelWidth.
inline void transformGradient(const PatchGrid& grid, const float* dy, Patch patch, std::size_t elementStride,
                              std::size_t panelStride, float* to) {
  using L = Widest;
  const L zero = L::all(0.0f);
  const bool hasRight = patch.x + 1 < grid.outWidth, hasBelow = patch.y + 1 < grid.outHeight;
  const std::size_t row = (static_cast<std::size_t>(patch.image) * grid.outHeight + patch.y) * grid.outWidth + patch.x;
  const float* first = dy + row * grid.outChannels;
  const float* below = first + grid.outWidth * grid.outChannels;
  for (std::size_t c = 0; c < grid.outChannels; c += L::width) {
    float* target = to + c / panelWidth * panelStride + c % panelWidth;
    const L corner[2][2] = {
        {L::load(first + c), hasRight ? L::load(first + grid.outChannels + c) : zero},
        {hasBelow ? L::load(below + c) : zero, hasBelow && hasRight ? L::load(below + grid.outChannels + c) : zero}};
    L rows[patchSide][2];
    for (int x = 0; x < 2; x++) {
      rows[0][x] = corner[0][x];
      rows[1][x] = corner[0][x] + corner[1][x];
      rows[2][x] = corner[0][x] - corner[1][x];
      rows[3][x] = zero - corner[1][x];
    }
    for (int y = 0; y < patchSide; y++) {
      float* line = target + y * patchSide * elementStride;
      rows[y][0].store(line);
      (rows[y][0] + rows[y][1]).store(line + elementStride);
      (rows[y][0] - rows[y][1]).store(line + 2 * elementStride);
      (zero - rows[y][1]).store(line + 3 * elementStride);
    }
  }
}

// dg = Gᵀ dU G for input channels [begin, end) and all output channels.
inline void filterOfTransformed(const float* transformed, std::size_t in, std::size_t out, std::size_t begin,
                                std::size_t end, float* dFilter) {
  using L = Widest;
  const L half = L::all(0.5f);
  for (std::size_t i = begin * out; i < end * out; i += L::width) {
    L rows[3][patchSide];
    for (int x = 0; x < patchSide; x++) {
      const auto value = [&](int y) { return L::load(transformed + (y * patchSide + x) * in * out + i); };
      const L sum = (value(1) + value(2)) * half;
      rows[0][x] = value(0) + sum;
      rows[1][x] = (value(1) - value(2)) * half;
      rows[2][x] = sum + value(3);
    }
    for (int y = 0; y < 3; y++) {
      float* target = dFilter + 3 * y * in * out + i;
      const L sum = (rows[y][1] + rows[y][2]) * half;
      (rows[y][0] + sum).store(target);
      ((rows[y][1] - rows[y][2]) * half).store(target + in * out);
      (sum + rows[y][3]).store(target + 2 * in * out);
    }
  }
}

inline void winogradFilter(const Geometry& g, const float* x, const float* dy, float* dFilter) {
  const std::size_t in = g.inChannels, out = g.outChannels;
  const PatchGrid grid = {g.batch, g.inHeight, g.inWidth, g.outHeight, g.outWidth, g.padTop, g.padLeft, in, out};
  const std::size_t atOnce = std::clamp<std::size_t>(32768 / (in + out), 64, 256);
  constexpr std::size_t group = Widest::width;
  const std::size_t tilesPerElement = in / filterTileRows, panels = out / panelWidth;
  // [element][group of input channels][patch][channel in group], [element][panel][patch][channel in panel]
  float* patches = scratch<0>(patchSize * atOnce * in);
  float* gradients = scratch<1>(patchSize * atOnce * out);
  float* sums = scratch<2>(patchSize * in * out);
#pragma omp parallel
  {
    const Share tiles = shareOf(patchSize * tilesPerElement);
    for (std::size_t first = 0; first < grid.patches(); first += atOnce) {
      const std::size_t count = std::min(atOnce, grid.patches() - first);
      const Share own = shareOf(count);
      for (std::size_t i = own.begin; i < own.end; i++) {
        const Patch patch = patchOf(grid, first + i);
        transformPatch(grid, x, patch, atOnce * in, atOnce * group, patches + i * group);
        transformGradient(grid, dy, patch, atOnce * out, atOnce * panelWidth, gradients + i * panelWidth);
      }
#pragma omp barrier
      for (std::size_t t = tiles.begin; t < tiles.end; t++) {
        const std::size_t element = t / tilesPerElement, row = t % tilesPerElement * filterTileRows;
        const float* from[filterTileRows];
        for (int r = 0; r < filterTileRows; r++) {
          from[r] = patches + element * atOnce * in + row / group * atOnce * group + row % group + r;
        }
        for (std::size_t p = 0; p < panels; p++) {
          const float* panel = gradients + element * atOnce * out + p * atOnce * panelWidth;
          float* to[filterTileRows];
          for (int r = 0; r < filterTileRows; r++) to[r] = sums + (element * in + row + r) * out + p * panelWidth;
          if (first == 0) {
            tile<filterTileRows, false>(count, from, group, panel, to);
          } else {
            tile<filterTileRows, true>(count, from, group, panel, to);
          }
        }
      }
#pragma omp barrier
    }
    const Share rows = shareOf(in);
    filterOfTransformed(sums, in, out, rows.begin, rows.end, dFilter);
  }
}

}  // namespace FCAENET_VARIANT
