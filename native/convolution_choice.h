// Which kernel computes a convolution: the project's tap products or oneDNN's. A fixed rule of the geometry and the
// instruction set and never a trial, so that every worker of a run takes the same one.
#pragma once

#include <algorithm>

#include "convolution.h"
#include "kernels.h"

namespace fcaenet {

// Of all pairs of an output and a tap along one axis, how many fall inside the input.
inline double shareInside(int in, int out, int kernel, int stride, int pad) {
  int inside = 0;
  for (int o = 0; o < out; o++) {
    const int first = o * stride - pad;
    inside += std::max(0, std::min(in, first + kernel) - std::max(0, first));
  }
  return static_cast<double>(inside) / (static_cast<double>(out) * kernel);
}

// The bounds are where the measured times cross. oneDNN's gain is in large maps with few channels, where its copy of
// the filter in another layout costs nothing, and in its kernels for 1 x 1; ours is in large filters, in maps so small
// that many taps fall outside, and in filter gradients, which ours need not bring back into the plain layout.
// On AVX-512 oneDNN's kernels are stronger: there the taps left out have to be many.
inline bool tapProductsSuit(const Geometry& g, Direction direction, const Kernels& kernels) {
  const int columns = direction == Direction::input ? g.inChannels : g.outChannels;
  if (columns % kernels.tapChannels != 0) return false;
  const double inside = shareInside(g.inHeight, g.outHeight, g.kernelHeight, g.strideHeight, g.padTop) *
                        shareInside(g.inWidth, g.outWidth, g.kernelWidth, g.strideWidth, g.padLeft);
  if (kernels.isAvx512 && inside > 0.7) return false;
  const double taps = static_cast<double>(g.kernelHeight) * g.kernelWidth;
  const double filterValues = taps * g.inChannels * g.outChannels;
  return direction == Direction::filter ? filterValues >= 8192 : taps > 1 && filterValues >= 65536;
}

}  // namespace fcaenet
