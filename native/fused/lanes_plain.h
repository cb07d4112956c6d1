// Sixteen floats on any machine; std::fma rounds once everywhere, where the machine has no such instruction slowly.
#pragma once

#include <cstdint>
#include <cstring>

namespace {

struct lanes16 {
  float f[16];
};

#define MDT_EACH for (int i = 0; i < 16; ++i)

inline lanes16 load(const float* p) { lanes16 r; std::memcpy(r.f, p, sizeof r.f); return r; }
inline void store(float* p, lanes16 a) { std::memcpy(p, a.f, sizeof a.f); }
inline lanes16 load_some(const float* p, int64_t n) { lanes16 r; MDT_EACH r.f[i] = i < n ? p[i] : 0.0f; return r; }
inline void store_some(float* p, int64_t n, lanes16 a) { for (int64_t i = 0; i < n; ++i) p[i] = a.f[i]; }
inline lanes16 all(float x) { lanes16 r; MDT_EACH r.f[i] = x; return r; }
inline lanes16 fma(lanes16 a, lanes16 b, lanes16 c) { lanes16 r; MDT_EACH r.f[i] = __builtin_fmaf(a.f[i], b.f[i], c.f[i]); return r; }
inline lanes16 add(lanes16 a, lanes16 b) { lanes16 r; MDT_EACH r.f[i] = a.f[i] + b.f[i]; return r; }
inline lanes16 sub(lanes16 a, lanes16 b) { lanes16 r; MDT_EACH r.f[i] = a.f[i] - b.f[i]; return r; }
inline lanes16 mul(lanes16 a, lanes16 b) { lanes16 r; MDT_EACH r.f[i] = a.f[i] * b.f[i]; return r; }
inline lanes16 div(lanes16 a, lanes16 b) { lanes16 r; MDT_EACH r.f[i] = a.f[i] / b.f[i]; return r; }
inline lanes16 root(lanes16 a) { lanes16 r; MDT_EACH r.f[i] = __builtin_sqrtf(a.f[i]); return r; }
// The second where either is NaN, as x86 has it.
inline lanes16 larger(lanes16 a, lanes16 b) { lanes16 r; MDT_EACH r.f[i] = a.f[i] > b.f[i] ? a.f[i] : b.f[i]; return r; }
inline lanes16 smaller(lanes16 a, lanes16 b) { lanes16 r; MDT_EACH r.f[i] = a.f[i] < b.f[i] ? a.f[i] : b.f[i]; return r; }
// The first n lanes, the others set to x.
inline lanes16 keep(lanes16 a, int64_t n, float x) { MDT_EACH a.f[i] = i < n ? a.f[i] : x; return a; }
// p·2^n, rounded once; shifted is n + 1.5·2^23, so that n stands in its low bits; −252 < n < 256.
inline lanes16 times_power_of_two(lanes16 p, lanes16 shifted, lanes16) {
  MDT_EACH {
    int32_t bits;
    std::memcpy(&bits, &shifted.f[i], sizeof bits);
    const int32_t n = bits - 0x4B400000;
    // In two steps, neither of which leaves the range of normal numbers as a factor. NaN has any bits there; it stays NaN whatever the factor.
    const int32_t half = n >> 1;
    const uint32_t first = static_cast<uint32_t>(half + 127) << 23, second = static_cast<uint32_t>(n - half + 127) << 23;
    float x, y;
    std::memcpy(&x, &first, sizeof x);
    std::memcpy(&y, &second, sizeof y);
    p.f[i] = p.f[i] * x * y;
  }
  return p;
}

#undef MDT_EACH

inline float sum(lanes16 a) {
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) a.f[i] = a.f[i] + a.f[i + width];
  return a.f[0];
}

inline float largest(lanes16 a) {
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) a.f[i] = a.f[i] > a.f[i + width] ? a.f[i] : a.f[i + width];
  return a.f[0];
}

}  // namespace
