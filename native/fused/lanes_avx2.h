// Sixteen floats in two registers of AVX2 with FMA. What each function does stands in lanes_plain.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

struct lanes16 {
  __m256 low, high;
};

inline __m256i first_of(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n < 0 ? 0 : n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

inline lanes16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, lanes16 a) { _mm256_storeu_ps(p, a.low); _mm256_storeu_ps(p + 8, a.high); }
inline lanes16 load_some(const float* p, int64_t n) { return {_mm256_maskload_ps(p, first_of(n)), _mm256_maskload_ps(p + 8, first_of(n - 8))}; }
inline void store_some(float* p, int64_t n, lanes16 a) {
  _mm256_maskstore_ps(p, first_of(n), a.low);
  _mm256_maskstore_ps(p + 8, first_of(n - 8), a.high);
}
inline lanes16 all(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline lanes16 fma(lanes16 a, lanes16 b, lanes16 c) { return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)}; }
inline lanes16 add(lanes16 a, lanes16 b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline lanes16 sub(lanes16 a, lanes16 b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline lanes16 mul(lanes16 a, lanes16 b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline lanes16 div(lanes16 a, lanes16 b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline lanes16 root(lanes16 a) { return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)}; }
inline lanes16 larger(lanes16 a, lanes16 b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline lanes16 smaller(lanes16 a, lanes16 b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }

inline lanes16 keep(lanes16 a, int64_t n, float x) {
  const __m256 other = _mm256_set1_ps(x);
  return {_mm256_blendv_ps(other, a.low, _mm256_castsi256_ps(first_of(n))), _mm256_blendv_ps(other, a.high, _mm256_castsi256_ps(first_of(n - 8)))};
}

inline __m256 times_power_of_two(__m256 p, __m256 shifted) {
  const __m256i n = _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(0x4B400000));
  const __m256i half = _mm256_srai_epi32(n, 1), bias = _mm256_set1_epi32(127);
  const __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const __m256 second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(n, half), bias), 23));
  return _mm256_mul_ps(_mm256_mul_ps(p, first), second);
}

inline lanes16 times_power_of_two(lanes16 p, lanes16 shifted, lanes16) {
  return {times_power_of_two(p.low, shifted.low), times_power_of_two(p.high, shifted.high)};
}

inline float sum(lanes16 a) {
  const __m256 eight = _mm256_add_ps(a.low, a.high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

inline float largest(lanes16 a) {
  const __m256 eight = _mm256_max_ps(a.low, a.high);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

}  // namespace
