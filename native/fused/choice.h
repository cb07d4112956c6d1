// The choice of the instruction set.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace mdt {
namespace fused {

// What the caller names an instruction set by. Where the machine multiplies and adds in one by itself, plain is fast as well.
enum level : int32_t { plain = 0, avx2 = 1, avx512 = 2 };

inline bool has(int32_t which) {
  switch (which) {
    case plain: return true;
#if defined(__x86_64__)
    case avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case avx512: return __builtin_cpu_supports("avx512f") && has(avx2);
#endif
    default: return false;
  }
}

inline int32_t best_level() {
  static const int32_t best = has(avx512) ? avx512 : has(avx2) ? avx2 : plain;
  return best;
}

// Which function of three; the caller's -1 stands for the best.
template <class Function>
Function choose(int32_t which, Function for_plain, Function for_avx2, Function for_avx512) {
  if (which < 0) which = best_level();
  if (!has(which)) throw std::invalid_argument("this machine lacks instruction set " + std::to_string(which));
  return which == avx512 ? for_avx512 : which == avx2 ? for_avx2 : for_plain;
}

#if defined(__x86_64__)
#define MDT_CHOOSE(which, name) mdt::fused::choose(which, name##_plain, name##_avx2, name##_avx512)
#else
#define MDT_CHOOSE(which, name) mdt::fused::choose(which, name##_plain, name##_plain, name##_plain)
#endif

}  // namespace fused
}  // namespace mdt
