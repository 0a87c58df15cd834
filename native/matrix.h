// Matrix products of the hash layer. oneDNN's sgemm is not used. Its transposed kernels (oneDNN 2.6 on AVX-512) corrupt
// the heap when a signal arrives. Its convolutions passed the same test.
#pragma once

#include <cstddef>
#include <vector>

#include "lanes.h"

namespace FCAENET_VARIANT {

// Computes rows [row, row + R) and N groups of lanes of c. Element (i, k) of a is at i·aRow + k·aColumn.
template <class L, int R, int N>
inline void productTile(std::size_t depth, std::size_t n, const float* a, std::size_t aRow, std::size_t aColumn,
                        const float* b, float* c) {
  L sum[R][N];
  for (int r = 0; r < R; r++) {
    for (int i = 0; i < N; i++) sum[r][i] = L::all(0.0f);
  }
  for (std::size_t k = 0; k < depth; k++) {
    L row[N];
    for (int i = 0; i < N; i++) row[i] = L::load(b + k * n + i * L::width);
    for (int r = 0; r < R; r++) {
      const L factor = L::all(a[r * aRow + k * aColumn]);
      for (int i = 0; i < N; i++) sum[r][i] = fma(factor, row[i], sum[r][i]);
    }
  }
  for (int r = 0; r < R; r++) {
    for (int i = 0; i < N; i++) sum[r][i].store(c + r * n + i * L::width);
  }
}

// c[m, n] = op(a) · op(b), row-major. a is [m, depth], or [depth, m] when transposed. b is [depth, n], or [n, depth].
inline void matrixProduct(bool transposeA, bool transposeB, std::size_t m, std::size_t n, std::size_t depth,
                          const float* a, const float* b, float* c) {
  std::vector<float> turned;
  if (transposeB) {
    turned.resize(depth * n);
    for (std::size_t j = 0; j < n; j++) {
      for (std::size_t k = 0; k < depth; k++) turned[k * n + j] = b[j * depth + k];
    }
    b = turned.data();
  }
  const std::size_t aRow = transposeA ? 1 : depth, aColumn = transposeA ? m : 1;
  std::size_t first = 0;
  auto columns = [&](auto lanes, auto count) {
    using L = decltype(lanes);
    constexpr int N = decltype(count)::value;
    std::size_t i = 0;
    for (; i + 4 <= m; i += 4) {
      productTile<L, 4, N>(depth, n, a + i * aRow, aRow, aColumn, b + first, c + i * n + first);
    }
    for (; i < m; i++) productTile<L, 1, N>(depth, n, a + i * aRow, aRow, aColumn, b + first, c + i * n + first);
    first += N * L::width;
  };
  while (first + 3 * Widest::width <= n) columns(Widest{}, Count<3>{});
  while (first + Widest::width <= n) columns(Widest{}, Count<1>{});
  while (first + 8 <= n) columns(Lanes8{}, Count<1>{});
  while (first < n) columns(Lanes1{}, Count<1>{});
}

}  // namespace FCAENET_VARIANT
