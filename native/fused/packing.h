// A policy's matrices in panels.
#pragma once

#include "engine.h"
#include "memory.h"

#include <memory>
#include <vector>

namespace mdt {
namespace fused {

// A model with the memory behind it; norms and embedding are the policy's.
struct packed_model {
  model view;
  std::vector<layer> layers;
  memory numbers;
};

// Writes the tensors as they are now over a model that was packed from others of the same shape.
void pack_into(packed_model& result, const shape& dims, const float* const* tensors);

// Tensors in this order: embedding, final norm, output matrix, and for each layer attention norm, query, key, value, attention output, MLP norm, gate,
// up, down.
std::unique_ptr<packed_model> pack(const shape& dims, const float* const* tensors);

inline int64_t panel_floats(int64_t n, int64_t k) { return round_up(n) * k; }

// Rows of a matrix [upper_rows, k] and of one below it into panels at to, which moves on.
panels pack(const float* upper, int64_t upper_rows, const float* lower, int64_t lower_rows, int64_t k, float*& to);

// The transpose of the same in panels: outputs k, inner index the rows.
panels pack_across(const float* upper, int64_t upper_rows, const float* lower, int64_t lower_rows, int64_t k, float*& to);

}  // namespace fused
}  // namespace mdt
