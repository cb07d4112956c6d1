#include "packing.h"

#include <algorithm>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace {

using mdt::fused::lanes;

// Four columns of sixteen rows, from rows[i] + j on, to four rows of a panel.
inline void transpose_four(const float* const* rows, int64_t j, float* to) {
#if defined(__SSE__)
  for (int64_t i = 0; i < lanes; i += 4) {
    __m128 a = _mm_loadu_ps(rows[i] + j), b = _mm_loadu_ps(rows[i + 1] + j), c = _mm_loadu_ps(rows[i + 2] + j), d = _mm_loadu_ps(rows[i + 3] + j);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to + i, a);
    _mm_storeu_ps(to + i + lanes, b);
    _mm_storeu_ps(to + i + 2 * lanes, c);
    _mm_storeu_ps(to + i + 3 * lanes, d);
  }
#else
  for (int64_t row = 0; row < 4; ++row)
    for (int64_t i = 0; i < lanes; ++i) to[row * lanes + i] = rows[i][j + row];
#endif
}

}  // namespace

namespace mdt {
namespace fused {

panels pack(const float* upper, int64_t upper_rows, const float* lower, int64_t lower_rows, int64_t k, float*& to) {
  const int64_t n = upper_rows + lower_rows;
  const panels result{to, n, k};
  for (int64_t first = 0; first < n; first += lanes) {
    const float* rows[lanes];
    const int64_t count = std::min(lanes, n - first);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = first + i;
      rows[i] = row < upper_rows ? upper + row * k : lower + (row - upper_rows) * k;
    }
    int64_t j = 0;
    if (count == lanes)
      for (; j + 4 <= k; j += 4, to += 4 * lanes) transpose_four(rows, j, to);
    for (; j < k; ++j, to += lanes) {
      for (int64_t i = 0; i < count; ++i) to[i] = rows[i][j];
      for (int64_t i = count; i < lanes; ++i) to[i] = 0.0f;
    }
  }
  return result;
}

panels pack_across(const float* upper, int64_t upper_rows, const float* lower, int64_t lower_rows, int64_t k, float*& to) {
  const int64_t n = upper_rows + lower_rows;
  const panels result{to, k, n};
  for (int64_t first = 0; first < k; first += lanes) {
    const int64_t count = std::min(lanes, k - first);
    for (int64_t row = 0; row < n; ++row, to += lanes) {
      const float* const from = (row < upper_rows ? upper + row * k : lower + (row - upper_rows) * k) + first;
      std::copy(from, from + count, to);
      std::fill(to + count, to + lanes, 0.0f);
    }
  }
  return result;
}

std::unique_ptr<packed_model> pack(const shape& dims, const float* const* tensors) {
  auto result = std::make_unique<packed_model>();
  pack_into(*result, dims, tensors);
  return result;
}

void pack_into(packed_model& result, const shape& dims, const float* const* tensors) {
  const int64_t d = dims.hidden, q = int64_t{dims.heads} * dims.head_size, kv = int64_t{dims.kv_heads} * dims.head_size, inner = dims.intermediate;
  const int64_t stride = round_up(d), vocabulary = dims.vocabulary;
  int64_t count = panel_floats(vocabulary, d) + (stride == d ? 0 : vocabulary * stride);
  count += dims.layers * (panel_floats(q, d) + panel_floats(2 * kv, d) + panel_floats(d, q) + panel_floats(2 * inner, d) + panel_floats(d, inner));
  if (result.layers.empty()) result.numbers = memory(count);
  float* to = result.numbers.get();
  const float* const output = tensors[2];
  model& view = result.view;
  view.shape = dims;
  view.embedding = tensors[0];
  view.final_norm = tensors[1];
  view.output = pack(output, vocabulary, nullptr, 0, d, to);
  view.output_rows = output;
  view.output_stride = stride;
  if (stride != d) {
    view.output_rows = to;
    for (int64_t row = 0; row < vocabulary; ++row, to += stride) {
      std::copy(output + row * d, output + (row + 1) * d, to);
      std::fill(to + d, to + stride, 0.0f);
    }
  }
  result.layers.resize(static_cast<size_t>(dims.layers));
  tensors += 3;
  for (layer& l : result.layers) {
    l.attention_norm = tensors[0];
    l.queries = pack(tensors[1], q, nullptr, 0, d, to);
    l.keys_values = pack(tensors[2], kv, tensors[3], kv, d, to);
    l.attention_output = pack(tensors[4], d, nullptr, 0, q, to);
    l.mlp_norm = tensors[5];
    l.gate_up = pack(tensors[6], inner, tensors[7], inner, d, to);
    l.down = pack(tensors[8], d, nullptr, 0, inner, to);
    tensors += 9;
  }
  view.layers = result.layers.data();
}

}  // namespace fused
}  // namespace mdt
