#pragma once

#include <cstddef>
#include <vector>

#include "lanes.h"

namespace FCAENET_VARIANT {

inline void relu(const float* x, float* y, std::size_t count, float limit) {
  overLanes(count, [&](auto lanes, std::size_t i) {
    using L = decltype(lanes);
    min(L::all(limit), max(L::all(0.0f), L::load(x + i))).store(y + i);
  });
}

inline void reluInput(const float* y, const float* dy, float* dx, std::size_t count, float limit) {
  overLanes(count, [&](auto lanes, std::size_t i) {
    using L = decltype(lanes);
    inside(L::load(y + i), L::all(0.0f), L::all(limit), L::load(dy + i)).store(dx + i);
  });
}

inline void add(const float* a, const float* b, float* c, std::size_t count) {
  overLanes(count, [&](auto lanes, std::size_t i) {
    using L = decltype(lanes);
    (L::load(a + i) + L::load(b + i)).store(c + i);
  });
}

inline void subtract(const float* a, const float* b, float* c, std::size_t count) {
  overLanes(count, [&](auto lanes, std::size_t i) {
    using L = decltype(lanes);
    (L::load(a + i) - L::load(b + i)).store(c + i);
  });
}

inline void multiply(const float* a, const float* b, float* c, std::size_t count) {
  overLanes(count, [&](auto lanes, std::size_t i) {
    using L = decltype(lanes);
    (L::load(a + i) * L::load(b + i)).store(c + i);
  });
}

// The sum is float64, because a float32 sum of many values loses small values.
inline void sumMiddle(const float* x, float* y, std::size_t outer, std::size_t middle, std::size_t inner,
                      float factor) {
  std::vector<double> sums(inner);
  for (std::size_t o = 0; o < outer; o++) {
    for (std::size_t i = 0; i < inner; i++) sums[i] = 0.0;
    for (std::size_t m = 0; m < middle; m++) {
      const float* row = x + (o * middle + m) * inner;
      for (std::size_t i = 0; i < inner; i++) sums[i] += row[i];
    }
    for (std::size_t i = 0; i < inner; i++) y[o * inner + i] = static_cast<float>(sums[i] * factor);
  }
}

}  // namespace FCAENET_VARIANT
