// The C interface to scoring.
#include "choice.h"
#include "layout.h"
#include "mdt.h"
#include "memory.h"
#include "packing.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

using namespace mdt::fused;

namespace {

// Lays the workspace out from base on; from null it only counts. Returns the floats it takes.
int64_t carve(const shape& dims, const extent& most, bool features, float* base, workspace& w) {
  int64_t used = 0;
  const auto take = [&](int64_t count) {
    float* const at = base == nullptr ? nullptr : base + used;
    used += round_up(count);
    return at;
  };
  const int64_t d = dims.hidden, q = int64_t{dims.heads} * dims.head_size, kv = int64_t{dims.kv_heads} * dims.head_size, v = dims.vocabulary;
  const int64_t logits = std::min(most.places, logit_rows(v));
  w.x = take(most.rows * d);
  w.normed = take(most.rows * d);
  w.kv = take(most.rows * 2 * kv + lanes);
  w.q = take(most.rows * q);
  w.attended = take(most.rows * q);
  w.at_places = take(most.places * d);
  w.inner = take(std::min(most.rows, mlp_rows) * 2 * dims.intermediate);
  w.keys = take(most.record_keys * dims.head_size);
  w.scores = take(query_tile * (round_up(most.prompt) + round_up(most.segment)));
  w.logits = take(logits * round_up(v));
  w.expected = take(features ? logits * d : 0);
  w.normaliser = take(logits);
  return used;
}

// Runs a body on some threads, this one among them; an exception of any is thrown here.
template <class Body>
void side_by_side(int64_t threads, const Body& body) {
  std::vector<std::exception_ptr> failures(static_cast<size_t>(std::max<int64_t>(threads, 1)));
  const auto guarded = [&](size_t i) noexcept {
    try {
      body();
    } catch (...) {
      failures[i] = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  try {
    for (size_t i = 1; i < failures.size(); ++i) others.emplace_back(guarded, i);
  } catch (const std::system_error&) {
    // Fewer threads than wanted do the same work.
  }
  guarded(0);
  for (std::thread& other : others) other.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace

// The best instruction set here: 2 AVX-512, 1 AVX2 with FMA, 0 neither.
MDT_API int32_t mdt_fused_level() {
  return best_level();
}

// Null on failure. The tensors stay the caller's and must outlive the result: some of it points into them.
MDT_API void* mdt_fused_pack(const shape* dims, const float* const* tensors) {
  try {
    return pack(*dims, tensors).release();
  } catch (...) {
    mdt::keep_error();
    return nullptr;
  }
}

MDT_API void mdt_fused_free(void* packed) {
  delete static_cast<packed_model*>(packed);
}

// logps [C], features [C, d] or null. Thread-safe. level: -1 for the best.
MDT_API int32_t mdt_fused_score(const void* packed, const pools* given, int32_t which, float* logps, float* features) {
  MDT_DO({
    const model& m = static_cast<const packed_model*>(packed)->view;
    const auto score = MDT_CHOOSE(which, score);
    layout laid(*given, m.shape);
    laid.divide(std::max(1, at::get_num_threads()));
    const memory token_logps(laid.tokens());
    const outputs out{token_logps.get(), logps, features};
    const batch b = laid.view(*given);
    const bool expects = features != nullptr && laid.has_several_tokens();
    const int64_t groups = laid.groups();
    std::atomic<int64_t> taken{0};
    side_by_side(std::min<int64_t>(groups, at::get_num_threads()), [&]() {
      workspace w{};
      const memory numbers(carve(m.shape, laid.most_of_group(), expects, nullptr, w));
      carve(m.shape, laid.most_of_group(), expects, numbers.get(), w);
      for (int64_t g = taken++; g < groups; g = taken++) score(m, b, laid.start_of(g), laid.start_of(g + 1) - laid.start_of(g), w, out);
    });
  });
}

// e^x, for tests.
MDT_API int32_t mdt_fused_exp(int32_t which, const float* x, float* y, int64_t count) {
  MDT_DO(MDT_CHOOSE(which, exp)(x, y, count));
}

// C [m, n] = A [m, k]·Wᵀ for W [n, k], some times over: for measuring.
MDT_API int32_t mdt_fused_gemm(int32_t which, int64_t m, int64_t n, int64_t k, const float* a, const float* w, float* c, int32_t times) {
  MDT_DO({
    const memory packed(panel_floats(n, k));
    float* to = packed.get();
    const panels b = pack(w, n, nullptr, 0, k, to);
    for (int32_t i = 0; i < times; ++i) MDT_CHOOSE(which, gemm)(m, a, b, c);
  });
}
