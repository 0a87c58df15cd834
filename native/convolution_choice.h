// Which kernel computes a convolution: products of taps, Winograd's, or oneDNN's. A fixed rule of the geometry and the
// instruction set and never a trial, so that every worker of a run takes the same one.
#pragma once

#include <algorithm>

#include "convolution.h"
#include "kernels.h"

namespace fcaenet {

enum class Method { taps, winograd, onednn };

// Of all pairs of an output and a tap along one axis, how many fall inside the input.
inline double pairsInside(int in, int out, int kernel, int stride, int pad) {
  int inside = 0;
  for (int o = 0; o < out; o++) {
    const int first = o * stride - pad;
    inside += std::max(0, std::min(in, first + kernel) - std::max(0, first));
  }
  return inside;
}

// Multiplications of one image per pair of channels: of taps that fall inside, of all taps, and Winograd's.
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

// Its transforms have to be worth it: far fewer products, and enough patches for each use of the transformed filter.
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

// oneDNN's gain is in small filters, whose copy in another layout costs nothing, and in its kernels for 1 x 1; ours is
// in large filters, in maps so small that many taps fall outside, and in filter gradients, which need not be brought
// back into the plain layout. The bounds are where the times measured on AVX2 cross; on AVX-512 oneDNN's kernels are
// stronger, and there the taps left out have to be many.
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
