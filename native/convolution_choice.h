// Chooses the kernel of a convolution: products of taps, Winograd's algorithm, or oneDNN. The choice depends only on
// the geometry and the instruction set and never on a measurement, so all workers of a run choose the same kernel.
#pragma once

#include <algorithm>

#include "convolution.h"
#include "kernels.h"

namespace fcaenet {

enum class Method { taps, winograd, onednn };

// The number of pairs of an output and a tap along one axis where the tap is inside the input.
inline double pairsInside(int in, int out, int kernel, int stride, int pad) {
  int inside = 0;
  for (int o = 0; o < out; o++) {
    const int first = o * stride - pad;
    inside += std::max(0, std::min(in, first + kernel) - std::max(0, first));
  }
  return inside;
}

// Multiplications of one image for each pair of channels: with taps inside the input, with all taps, and of Winograd's
// algorithm.
struct Products {
  double inside, all, winograd;
};
inline Products productsOf(const Geometry& g) {
  const double positions = static_cast<double>(g.outHeight) * g.outWidth;
  return {pairsInside(g.inHeight, g.outHeight, g.kernelHeight, g.strideHeight, g.padTop) *
              pairsInside(g.inWidth, g.outWidth, g.kernelWidth, g.strideWidth, g.padLeft),
          positions * g.kernelHeight * g.kernelWidth,
          16.0 * ((g.outHeight + 1) / 2) * ((g.outWidth + 1) / 2)};
}

// The transforms cost time. They are worth it with far fewer products, and enough patches for each transformed filter.
inline bool winogradSuits(const Geometry& g, const Kernels& kernels) {
  const bool possible = g.kernelHeight == 3 && g.kernelWidth == 3 && g.strideHeight == 1 && g.strideWidth == 1 &&
                        g.padTop <= 2 && g.padLeft <= 2 && std::min(g.inChannels, g.outChannels) >= 32 &&
                        g.inChannels % kernels.tapChannels == 0 && g.outChannels % kernels.tapChannels == 0;
  if (!possible) return false;
  const Products products = productsOf(g);
  const double patches = g.batch * products.winograd / 16;
  return products.winograd <= 0.75 * products.inside &&
         patches >= static_cast<double>(g.inChannels) * g.outChannels / 2048;
}

// oneDNN is faster for small filters, because copying them into another layout is cheap, and for 1 x 1 filters.
// Products of taps are faster for large filters, for maps so small that many taps are outside, and for filter
// gradients, which need no copy back into the plain layout. The bounds are where the times measured on AVX2 are equal.
// oneDNN's kernels for AVX-512 are faster, so more taps must be outside there.
inline bool tapsSuit(const Geometry& g, Direction direction, const Kernels& kernels) {
  const int columns = direction == Direction::input ? g.inChannels : g.outChannels;
  if (columns % kernels.tapChannels != 0) return false;
  const Products products = productsOf(g);
  if (kernels.isAvx512 && products.inside > 0.7 * products.all) return false;
  const double taps = static_cast<double>(g.kernelHeight) * g.kernelWidth;
  const double filterValues = taps * g.inChannels * g.outChannels;
  return direction == Direction::filter ? filterValues >= 8192 : taps > 1 && filterValues >= 65536;
}

inline Method methodOf(const Geometry& g, Direction direction, const Kernels& kernels) {
  if (winogradSuits(g, kernels)) return Method::winograd;
  return tapsSuit(g, direction, kernels) ? Method::taps : Method::onednn;
}

}  // namespace fcaenet
