// Sixteen floats in one register of AVX-512F. What each function does stands in lanes_plain.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

struct lanes16 {
  __m512 v;
};

inline __mmask16 first_of(int64_t n) { return static_cast<__mmask16>(n >= 16 ? 0xFFFF : (1 << n) - 1); }

inline lanes16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, lanes16 a) { _mm512_storeu_ps(p, a.v); }
inline lanes16 load_some(const float* p, int64_t n) { return {_mm512_maskz_loadu_ps(first_of(n), p)}; }
inline void store_some(float* p, int64_t n, lanes16 a) { _mm512_mask_storeu_ps(p, first_of(n), a.v); }
inline lanes16 all(float x) { return {_mm512_set1_ps(x)}; }
inline lanes16 fma(lanes16 a, lanes16 b, lanes16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline lanes16 add(lanes16 a, lanes16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline lanes16 sub(lanes16 a, lanes16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline lanes16 mul(lanes16 a, lanes16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline lanes16 div(lanes16 a, lanes16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline lanes16 root(lanes16 a) { return {_mm512_maskz_sqrt_ps(0xFFFF, a.v)}; }
inline lanes16 larger(lanes16 a, lanes16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline lanes16 smaller(lanes16 a, lanes16 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline lanes16 keep(lanes16 a, int64_t n, float x) { return {_mm512_mask_blend_ps(first_of(n), _mm512_set1_ps(x), a.v)}; }
inline lanes16 times_power_of_two(lanes16 p, lanes16, lanes16 n) { return {_mm512_scalef_ps(p.v, n.v)}; }

inline float sum(lanes16 a) {
  const __m256 low = _mm512_castps512_ps256(a.v), high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a.v), 1));
  const __m256 eight = _mm256_add_ps(low, high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

inline float largest(lanes16 a) {
  const __m256 low = _mm512_castps512_ps256(a.v), high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a.v), 1));
  const __m256 eight = _mm256_max_ps(low, high);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

}  // namespace
