#include "learner.h"

#include "choice.h"
#include "mdt.h"

#include <algorithm>
#include <stdexcept>

namespace mdt {
namespace fused {

namespace {

constexpr size_t tensors_before_layers = 3, tensors_of_layer = 9;

}  // namespace

learner::learner(const shape& given, const float* const* from, float* const* to)
    : dims(given), tensors(from, from + tensors_before_layers + tensors_of_layer * static_cast<size_t>(given.layers)) {
  for (int32_t i = 0; i < dims.layers; ++i) {
    float* const* const g = to + tensors_before_layers + tensors_of_layer * static_cast<size_t>(i);
    into_layers.push_back({g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8]});
  }
  into = {to[0], to[1], to[2], into_layers.data()};
  const int64_t d = dims.hidden, q = int64_t{dims.heads} * dims.head_size, kv = int64_t{dims.kv_heads} * dims.head_size, inner = dims.intermediate;
  back_numbers = memory(dims.layers * (panel_floats(d, q) + panel_floats(d, 2 * kv) + panel_floats(q, d) + panel_floats(d, 2 * inner) + panel_floats(inner, d)));
  back.resize(static_cast<size_t>(dims.layers));
  layer_tapes.resize(static_cast<size_t>(dims.layers));
  refresh();
}

void learner::refresh() {
  pack_into(packed, dims, tensors.data());
  const int64_t d = dims.hidden, q = int64_t{dims.heads} * dims.head_size, kv = int64_t{dims.kv_heads} * dims.head_size, inner = dims.intermediate;
  float* to = back_numbers.get();
  const float* const* w = tensors.data() + tensors_before_layers;
  for (back_layer& l : back) {
    l.queries = pack_across(w[1], q, nullptr, 0, d, to);
    l.keys_values = pack_across(w[2], kv, w[3], kv, d, to);
    l.attention_output = pack_across(w[4], d, nullptr, 0, q, to);
    l.gate_up = pack_across(w[6], inner, w[7], inner, d, to);
    l.down = pack_across(w[8], d, nullptr, 0, inner, to);
    w += tensors_of_layer;
  }
}

void learner::forward(const pools& given, int32_t level, float* logps) {
  const auto learn = MDT_CHOOSE(level, learn);
  laid = std::make_unique<layout>(given, dims);
  laid_batch = laid->view(given);
  carve();
  learn(packed.view, laid_batch, laid->count(), on_tape, work, token_logps, logps);
}

void learner::backward(int32_t level, const float* dlogps) {
  if (!laid) throw std::logic_error("a backward needs a forward before it");
  const auto unlearn = MDT_CHOOSE(level, unlearn);
  unlearn(packed.view, back.data(), laid_batch, laid->count(), on_tape, work, dlogps, into);
  laid.reset();
}

void learner::carve() {
  const extent most = laid->whole();
  const int64_t d = dims.hidden, q = int64_t{dims.heads} * dims.head_size, kv = int64_t{dims.kv_heads} * dims.head_size, inner = dims.intermediate;
  const int64_t v = round_up(dims.vocabulary);
  // What is read to the end of a vector finds the next part behind it, and behind the last one some room.
  for (float* base = nullptr;; base = numbers.get()) {
    int64_t used = 0;
    const auto take = [&](int64_t count) {
      float* const at = base == nullptr ? nullptr : base + used;
      used += round_up(count) + lanes;
      return at;
    };
    for (int32_t i = 0; i < dims.layers; ++i) {
      const int64_t rows = i == dims.layers - 1 ? most.places : most.rows;
      layer_tape& t = layer_tapes[static_cast<size_t>(i)];
      t.x = take(most.rows * d);
      t.kv = take(most.rows * 2 * kv);
      t.q = take(rows * q);
      t.attended = take(rows * q);
      t.middle = take(rows * d);
      t.gate_up = take(rows * 2 * inner);
    }
    on_tape.layers = layer_tapes.data();
    on_tape.at_places = take(most.places * d);
    on_tape.x = take(most.places * d);
    on_tape.hidden = take(most.places * d);
    on_tape.logits = take(most.places * v);
    on_tape.normaliser = take(most.places);
    work.normed = take(most.rows * d);
    work.dx = take(most.rows * d);
    work.dx_all = take(most.rows * d);
    work.dnormed = take(most.rows * d);
    work.dq = take(most.rows * q);
    work.dattended = take(most.rows * q);
    work.dkv = take(most.rows * 2 * kv);
    const int64_t rows = std::min(most.rows, std::max(back_rows, mlp_rows));
    work.inner = take(rows * inner);
    work.dinner = take(rows * inner);
    work.dgate_up = take(rows * 2 * inner);
    work.keys = take(most.record_keys * dims.head_size);
    work.values = take(most.record_keys * dims.head_size);
    const int64_t tile = std::max(back_tile, query_tile) * (round_up(most.prompt) + round_up(most.segment));
    work.scores = take(tile);
    work.dscores = take(tile);
    work.token_gradient = take(laid->tokens());
    token_logps = take(laid->tokens());
    if (base != nullptr) return;
    if (used > capacity) {
      numbers = memory(used);
      capacity = used;
    }
  }
}

}  // namespace fused
}  // namespace mdt

using mdt::fused::learner;

// Null on failure. Tensors and gradients stay the caller's and must outlive the result.
MDT_API void* mdt_fused_learner_new(const mdt::fused::shape* dims, const float* const* tensors, float* const* gradients) {
  try {
    return new learner(*dims, tensors, gradients);
  } catch (...) {
    mdt::keep_error();
    return nullptr;
  }
}

MDT_API void mdt_fused_learner_free(void* which) {
  delete static_cast<learner*>(which);
}

// The weights have changed.
MDT_API int32_t mdt_fused_learner_refresh(void* which) {
  MDT_DO(static_cast<learner*>(which)->refresh());
}

// logps [C]. level: -1 for the best.
MDT_API int32_t mdt_fused_learner_forward(void* which, const mdt::fused::pools* given, int32_t level, float* logps) {
  MDT_DO(static_cast<learner*>(which)->forward(*given, level, logps));
}

// dlogps [C]: of the forward before.
MDT_API int32_t mdt_fused_learner_backward(void* which, int32_t level, const float* dlogps) {
  MDT_DO(static_cast<learner*>(which)->backward(level, dlogps));
}

// One step of Adam on some tensors.
MDT_API int32_t mdt_fused_adam(const mdt::fused::adam_slot* slots, int32_t count, const mdt::fused::adam_step* step) {
  MDT_DO({
    const auto run = MDT_CHOOSE(-1, mdt::fused::step);
    for (int32_t i = 0; i < count; ++i) run(slots[i], *step);
  });
}

// The sum of squares.
MDT_API int32_t mdt_fused_squares(const float* x, int64_t count, double* result) {
  MDT_DO(*result = MDT_CHOOSE(-1, mdt::fused::squares)(x, count));
}
