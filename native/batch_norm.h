// Batch normalisation over rows of `channels` values, fused with its activation.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "kernels.h"
#include "lanes.h"

namespace FCAENET_VARIANT {

using fcaenet::Activation;

// The largest number of terms of a float32 sum. Float64 sums add these partial sums.
constexpr std::size_t rowsPerPartialSum = 256;

// With few channels, lanes are empty and there are too few independent sums to hide latency. When `channels` divides
// 64, the loops treat 64 / channels rows as one row of 64 columns. Column j is channel j mod channels. `fold` adds the
// columns of a channel at the end.
struct Columns {
  std::size_t rows, width, tailRows;
};
inline Columns columnsOf(std::size_t rows, std::size_t channels) {
  if (64 % channels != 0) return {rows, channels, 0};
  const std::size_t together = 64 / channels;
  return {rows / together, 64, rows % together};
}

inline std::vector<float> repeat(const float* values, std::size_t channels, std::size_t width) {
  std::vector<float> repeated(width);
  for (std::size_t i = 0; i < width; i++) repeated[i] = values[i % channels];
  return repeated;
}

// Calls step(lanes, count constant, first column) over all columns, four groups of lanes at a time where possible.
template <class Step>
inline void overColumns(std::size_t width, Step step) {
  std::size_t first = 0;
  for (; first + 4 * Widest::width <= width; first += 4 * Widest::width) step(Widest{}, Count<4>{}, first);
  overLanes(width - first, [&](auto lanes, std::size_t next) { step(lanes, Count<1>{}, first + next); });
}

// Sums first(x) and second(x) of a column group over rows. The final sums are float64.
template <class L, int N, class Terms>
inline void columnSums(std::size_t rows, double* sumA, double* sumB, Terms terms) {
  for (std::size_t start = 0; start < rows; start += rowsPerPartialSum) {
    const std::size_t end = start + rowsPerPartialSum < rows ? start + rowsPerPartialSum : rows;
    L a[N], b[N];
    for (int n = 0; n < N; n++) a[n] = b[n] = L::all(0.0f);
    for (std::size_t row = start; row < end; row++) {
      for (int n = 0; n < N; n++) terms(row, n, a[n], b[n]);
    }
    for (int n = 0; n < N; n++) {
      alignas(64) float partA[L::width], partB[L::width];
      a[n].store(partA);
      b[n].store(partB);
      for (int i = 0; i < L::width; i++) {
        sumA[n * L::width + i] += partA[i];
        sumB[n * L::width + i] += partB[i];
      }
    }
  }
}

struct Sums {
  std::vector<double> a, b;
};

// Adds columns that belong to the same channel.
inline Sums fold(const std::vector<double>& a, const std::vector<double>& b, std::size_t channels) {
  Sums sums{std::vector<double>(channels, 0.0), std::vector<double>(channels, 0.0)};
  for (std::size_t i = 0; i < a.size(); i++) {
    sums.a[i % channels] += a[i];
    sums.b[i % channels] += b[i];
  }
  return sums;
}

template <bool hasShortcut>
inline void applyRows(const float* x, const float* shortcut, float* y, std::size_t rows, std::size_t channels,
                      const float* mean, const float* slope, const float* offset, Activation activation) {
  const float low = activation == Activation::none ? -std::numeric_limits<float>::infinity() : 0.0f;
  const float high = activation == Activation::relu6 ? 6.0f : std::numeric_limits<float>::infinity();
  const Columns columns = columnsOf(rows, channels);
  const auto means = repeat(mean, channels, columns.width);
  const auto slopes = repeat(slope, channels, columns.width);
  const auto offsets = repeat(offset, channels, columns.width);
  auto apply = [&](std::size_t base, std::size_t rowCount, std::size_t stride) {
    overColumns(stride, [&](auto lanes, auto count, std::size_t first) {
      using L = decltype(lanes);
      constexpr int N = decltype(count)::value;
      L m[N], s[N], o[N];
      for (int n = 0; n < N; n++) {
        m[n] = L::load(&means[first + n * L::width]);
        s[n] = L::load(&slopes[first + n * L::width]);
        o[n] = L::load(&offsets[first + n * L::width]);
      }
      const L lowest = L::all(low), highest = L::all(high);
      for (std::size_t row = 0; row < rowCount; row++) {
        const std::size_t at = base + row * stride + first;
        for (int n = 0; n < N; n++) {
          L value = fma(L::load(x + at + n * L::width) - m[n], s[n], o[n]);
          if constexpr (hasShortcut) value = value + L::load(shortcut + at + n * L::width);
          min(highest, max(lowest, value)).store(y + at + n * L::width);
        }
      }
    });
  };
  apply(0, columns.rows, columns.width);
  if (columns.tailRows > 0) apply(columns.rows * columns.width, columns.tailRows, channels);
}

inline void batchNormForward(const fcaenet::BatchNormForward& p) {
  const Columns columns = columnsOf(p.rows, p.channels);
  // Subtract the first row before summing. This keeps the precision when the mean is large.
  const auto shift = repeat(p.x, p.channels, columns.width);
  std::vector<double> sum(columns.width, 0.0), square(columns.width, 0.0);
  auto accumulate = [&](std::size_t base, std::size_t rowCount, std::size_t stride) {
    overColumns(stride, [&](auto lanes, auto count, std::size_t first) {
      using L = decltype(lanes);
      constexpr int N = decltype(count)::value;
      L origin[N];
      for (int n = 0; n < N; n++) origin[n] = L::load(&shift[first + n * L::width]);
      const float* x = p.x + base + first;
      columnSums<L, N>(rowCount, &sum[first], &square[first], [&](std::size_t row, int n, L& a, L& b) {
        const L d = L::load(x + row * stride + n * L::width) - origin[n];
        a = a + d;
        b = fma(d, d, b);
      });
    });
  };
  accumulate(0, columns.rows, columns.width);
  if (columns.tailRows > 0) accumulate(columns.rows * columns.width, columns.tailRows, p.channels);
  const Sums sums = fold(sum, square, p.channels);
  std::vector<float> slope(p.channels);
  const double count = static_cast<double>(p.rows);
  for (std::size_t c = 0; c < p.channels; c++) {
    const double delta = sums.a[c] / count;
    const double variance = sums.b[c] / count - delta * delta;
    p.mean[c] = static_cast<float>(p.x[c] + delta);
    // Rounding may make the variance of a constant channel slightly negative. NaN must stay NaN.
    p.variance[c] = static_cast<float>(variance < 0.0 ? 0.0 : variance);
    slope[c] = static_cast<float>(p.scale[c] / std::sqrt(p.variance[c] + p.epsilon));
  }
  const auto apply = p.shortcut == nullptr ? applyRows<false> : applyRows<true>;
  apply(p.x, p.shortcut, p.y, p.rows, p.channels, p.mean, slope.data(), p.offset, p.activation);
}

inline void batchNormInference(const fcaenet::BatchNormInference& p) {
  std::vector<float> slope(p.channels);
  for (std::size_t c = 0; c < p.channels; c++) {
    slope[c] = static_cast<float>(p.scale[c] / std::sqrt(p.variance[c] + p.epsilon));
  }
  applyRows<false>(p.x, nullptr, p.y, p.rows, p.channels, p.mean, slope.data(), p.offset, Activation::none);
}

// y = x + bias for each row. A multiplication by 1 is exact.
inline void addRows(const float* x, const float* bias, float* y, std::size_t rows, std::size_t channels) {
  const std::vector<float> zeros(channels, 0.0f), ones(channels, 1.0f);
  applyRows<false>(x, nullptr, y, rows, channels, zeros.data(), ones.data(), bias, Activation::none);
}

// Let g be the gradient with respect to the input of the activation, d = x − mean, k = 1/√(variance + ε):
// dOffset = Σg, dScale = k Σgd, dx = scale·k·(g − Σg/rows − d·k²·Σgd/rows).
// The input of the activation is computed again with the same operations as in the forward pass.
inline void batchNormBackward(const fcaenet::BatchNormBackward& p) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float low = p.activation == Activation::none ? -infinity : 0.0f;
  const float high = p.activation == Activation::relu6 ? 6.0f : infinity;
  const bool open = p.activation == Activation::none;
  const Columns columns = columnsOf(p.rows, p.channels);
  std::vector<float> slope(p.channels);
  std::vector<double> inverse(p.channels);
  for (std::size_t c = 0; c < p.channels; c++) {
    inverse[c] = 1.0 / std::sqrt(p.variance[c] + p.epsilon);
    slope[c] = static_cast<float>(p.scale[c] / std::sqrt(p.variance[c] + p.epsilon));
  }
  const auto means = repeat(p.mean, p.channels, columns.width);
  const auto slopes = repeat(slope.data(), p.channels, columns.width);
  const auto offsets = repeat(p.offset, p.channels, columns.width);
  std::vector<double> sumG(columns.width, 0.0), sumGd(columns.width, 0.0);
  auto accumulate = [&](std::size_t base, std::size_t rowCount, std::size_t stride) {
    overColumns(stride, [&](auto lanes, auto count, std::size_t first) {
      using L = decltype(lanes);
      constexpr int N = decltype(count)::value;
      L m[N], s[N], o[N];
      for (int n = 0; n < N; n++) {
        m[n] = L::load(&means[first + n * L::width]);
        s[n] = L::load(&slopes[first + n * L::width]);
        o[n] = L::load(&offsets[first + n * L::width]);
      }
      const L lowest = L::all(low), highest = L::all(high);
      const float* x = p.x + base + first;
      const float* dy = p.dy + base + first;
      columnSums<L, N>(rowCount, &sumG[first], &sumGd[first], [&](std::size_t row, int n, L& a, L& b) {
        const std::size_t at = row * stride + n * L::width;
        const L d = L::load(x + at) - m[n];
        L g = L::load(dy + at);
        if (!open) g = inside(fma(d, s[n], o[n]), lowest, highest, g);
        a = a + g;
        b = fma(g, d, b);
      });
    });
  };
  accumulate(0, columns.rows, columns.width);
  if (columns.tailRows > 0) accumulate(columns.rows * columns.width, columns.tailRows, p.channels);
  const Sums sums = fold(sumG, sumGd, p.channels);
  std::vector<float> constant(p.channels), linear(p.channels);
  const double count = static_cast<double>(p.rows);
  for (std::size_t c = 0; c < p.channels; c++) {
    p.dOffset[c] = static_cast<float>(sums.a[c]);
    p.dScale[c] = static_cast<float>(inverse[c] * sums.b[c]);
    const double factor = p.scale[c] * inverse[c] / count;
    constant[c] = static_cast<float>(-factor * sums.a[c]);
    linear[c] = static_cast<float>(-factor * inverse[c] * inverse[c] * sums.b[c]);
  }
  const auto constants = repeat(constant.data(), p.channels, columns.width);
  const auto linears = repeat(linear.data(), p.channels, columns.width);
  auto apply = [&](std::size_t base, std::size_t rowCount, std::size_t stride) {
    overColumns(stride, [&](auto lanes, auto count, std::size_t first) {
      using L = decltype(lanes);
      constexpr int N = decltype(count)::value;
      const L lowest = L::all(low), highest = L::all(high);
      for (std::size_t row = 0; row < rowCount; row++) {
        for (int n = 0; n < N; n++) {
          const std::size_t column = first + n * L::width;
          const std::size_t at = base + row * stride + column;
          const L d = L::load(p.x + at) - L::load(&means[column]);
          L g = L::load(p.dy + at);
          const L s = L::load(&slopes[column]);
          if (!open) g = inside(fma(d, s, L::load(&offsets[column])), lowest, highest, g);
          fma(g, s, fma(d, L::load(&linears[column]), L::load(&constants[column]))).store(p.dx + at);
        }
      }
    });
  };
  apply(0, columns.rows, columns.width);
  if (columns.tailRows > 0) apply(columns.rows * columns.width, columns.tailRows, p.channels);
}

}  // namespace FCAENET_VARIANT
