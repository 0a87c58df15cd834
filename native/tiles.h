// Matrix products in tiles that stay in registers, and functions that pack their operands.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "lanes.h"

namespace FCAENET_VARIANT {

// Size of the tile that stays in registers: groups of lanes in a row, and rows. It uses 12 of 16 registers, or 24
// of 32.
constexpr int tileGroups = Widest::width > 8 ? 4 : 2;
constexpr int tileRows = 6;
constexpr std::size_t panelWidth = tileGroups * Widest::width;

// Floats of a packed block, so that it stays in the second-level cache.
constexpr std::size_t blockFloats = 65536;
inline std::size_t blockDepth(std::size_t width) {
  return std::clamp<std::size_t>(blockFloats / width, 32, 256);
}

// This thread's share of `count` items.
struct Share {
  std::size_t begin, end;
};
inline Share shareOf(std::size_t count) {
  const std::size_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
  return {count * thread / threads, count * (thread + 1) / threads};
}

// Bytes of all threads' scratch memory.
inline std::atomic<std::size_t> scratchBytes{0};
inline std::size_t scratchBytesNow() { return scratchBytes; }

// Memory of this thread that is kept between calls. Uses at the same time have different `slot` numbers.
template <int slot>
inline float* scratch(std::size_t count) {
  thread_local std::vector<float> memory;
  const std::size_t needed = count + 16;
  if (memory.size() < needed) {
    scratchBytes += (needed - memory.size()) * sizeof(float);
    memory = std::vector<float>();
    memory.resize(needed);
  }
  const std::size_t address = reinterpret_cast<std::size_t>(memory.data());
  return memory.data() + (64 - address % 64) % 64 / sizeof(float);
}

// c[r][0..panelWidth) (+)= Σ_k a(r, k) · b[k]. Element (r, k) of a is at a[r][k·aStep].
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

// Copies columns [begin, end) of `rows` rows into contiguous groups of columns: to[group][row][column in group]. Row i
// is at rowAt(i). It copies few rows at a time. The distance between groups is a power of two, so the cache lines of
// more rows would evict each other.
template <std::size_t group, class RowAt>
inline void packGroups(RowAt rowAt, std::size_t rows, std::size_t begin, std::size_t end, float* to) {
  constexpr std::size_t rowsAtOnce = 4;
  for (std::size_t start = 0; start < rows; start += rowsAtOnce) {
    const std::size_t count = std::min(rowsAtOnce, rows - start);
    const float* source[rowsAtOnce];
    for (std::size_t r = 0; r < count; r++) source[r] = rowAt(start + r);
    float* target = to + start * group;
    std::size_t column = begin;
    for (; column + group <= end; column += group, target += rows * group) {
      for (std::size_t r = 0; r < count; r++) {
        std::memcpy(target + r * group, source[r] + column, group * sizeof(float));
      }
    }
    for (std::size_t r = 0; column < end && r < count; r++) {
      std::memcpy(target + r * group, source[r] + column, (end - column) * sizeof(float));
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

}  // namespace FCAENET_VARIANT
