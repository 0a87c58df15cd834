// Groups of float32 lanes. A file that includes this header is compiled once for each instruction set. FCAENET_VARIANT
// is its namespace. The source names every fused multiply-add, and the build does not let the compiler add others, so a
// result depends only on the source and the instruction set.
#pragma once

#include <immintrin.h>

#include <cstddef>

namespace FCAENET_VARIANT {

struct Lanes1 {
  static constexpr int width = 1;
  float v;
  static Lanes1 load(const float* p) { return {*p}; }
  static Lanes1 all(float value) { return {value}; }
  void store(float* p) const { *p = v; }
};
inline Lanes1 operator+(Lanes1 a, Lanes1 b) { return {a.v + b.v}; }
inline Lanes1 operator-(Lanes1 a, Lanes1 b) { return {a.v - b.v}; }
inline Lanes1 operator*(Lanes1 a, Lanes1 b) { return {a.v * b.v}; }
inline Lanes1 fma(Lanes1 a, Lanes1 b, Lanes1 c) { return {__builtin_fmaf(a.v, b.v, c.v)}; }
// Same as the vector instructions: the result is the second operand when either is NaN.
inline Lanes1 max(Lanes1 a, Lanes1 b) { return {a.v > b.v ? a.v : b.v}; }
inline Lanes1 min(Lanes1 a, Lanes1 b) { return {a.v < b.v ? a.v : b.v}; }
// `value` in the lanes where low < key < high, else 0.
inline Lanes1 inside(Lanes1 key, Lanes1 low, Lanes1 high, Lanes1 value) {
  return {key.v > low.v && key.v < high.v ? value.v : 0.0f};
}

struct Lanes8 {
  static constexpr int width = 8;
  __m256 v;
  static Lanes8 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Lanes8 all(float value) { return {_mm256_set1_ps(value)}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
};
inline Lanes8 operator+(Lanes8 a, Lanes8 b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Lanes8 operator-(Lanes8 a, Lanes8 b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Lanes8 operator*(Lanes8 a, Lanes8 b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Lanes8 fma(Lanes8 a, Lanes8 b, Lanes8 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Lanes8 max(Lanes8 a, Lanes8 b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Lanes8 min(Lanes8 a, Lanes8 b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Lanes8 inside(Lanes8 key, Lanes8 low, Lanes8 high, Lanes8 value) {
  const __m256 above = _mm256_cmp_ps(key.v, low.v, _CMP_GT_OQ);
  const __m256 below = _mm256_cmp_ps(key.v, high.v, _CMP_LT_OQ);
  return {_mm256_and_ps(_mm256_and_ps(above, below), value.v)};
}

// to[j][i] = from[i][j] for i and j below 8. The distance between rows is `fromStep` and `toStep` values.
inline void transpose8(const float* from, std::size_t fromStep, float* to, std::size_t toStep) {
  __m256 half[8], pair[8], quad[8];
  // Rows i and i + 4 share a register, so that later steps stay within half a register.
  for (int i = 0; i < 4; i++) {
    const float* upper = from + i * fromStep;
    const float* lower = from + (i + 4) * fromStep;
    half[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(upper)), _mm_loadu_ps(lower), 1);
    half[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(upper + 4)), _mm_loadu_ps(lower + 4), 1);
  }
  for (int i = 0; i < 8; i += 4) {
    pair[i] = _mm256_unpacklo_ps(half[i], half[i + 1]);
    pair[i + 1] = _mm256_unpackhi_ps(half[i], half[i + 1]);
    pair[i + 2] = _mm256_unpacklo_ps(half[i + 2], half[i + 3]);
    pair[i + 3] = _mm256_unpackhi_ps(half[i + 2], half[i + 3]);
    quad[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
    quad[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xee);
    quad[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
    quad[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
  }
  for (int j = 0; j < 8; j++) _mm256_storeu_ps(to + j * toStep, quad[j]);
}

#ifdef __AVX512F__
struct Lanes16 {
  static constexpr int width = 16;
  __m512 v;
  static Lanes16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Lanes16 all(float value) { return {_mm512_set1_ps(value)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
};
inline Lanes16 operator+(Lanes16 a, Lanes16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Lanes16 operator-(Lanes16 a, Lanes16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Lanes16 operator*(Lanes16 a, Lanes16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Lanes16 fma(Lanes16 a, Lanes16 b, Lanes16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Lanes16 max(Lanes16 a, Lanes16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Lanes16 min(Lanes16 a, Lanes16 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Lanes16 inside(Lanes16 key, Lanes16 low, Lanes16 high, Lanes16 value) {
  const __mmask16 above = _mm512_cmp_ps_mask(key.v, low.v, _CMP_GT_OQ);
  return {_mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above, key.v, high.v, _CMP_LT_OQ), value.v)};
}
using Widest = Lanes16;
#else
using Widest = Lanes8;
#endif

// A number of groups of lanes, as an argument.
template <int N>
struct Count {
  static constexpr int value = N;
};

// Calls step(lanes, first) over [0, count) with the widest lanes that fit, then narrower ones.
template <class Step>
inline void overLanes(std::size_t count, Step step) {
  std::size_t first = 0;
  for (; first + Widest::width <= count; first += Widest::width) step(Widest{}, first);
  if (Widest::width > 8) {
    for (; first + 8 <= count; first += 8) step(Lanes8{}, first);
  }
  for (; first < count; first++) step(Lanes1{}, first);
}

}  // namespace FCAENET_VARIANT
