// Training on packs: the forward that keeps what its backward needs, and the backward. Legend of shapes in engine.h.
//
// The log-probabilities are the same bits as those of scoring. Gradients are added to what is there, each number by one chain over the batch's rows in
// their order, some rows at a time: they are a function of the weights and of what is computed together.
#pragma once

#include "engine.h"

namespace mdt {
namespace fused {

// Matrices as their transposes in panels, for the way back: k are the outputs of the layer's own matrix.
struct back_layer {
  panels queries;           // [d, H·s]
  panels keys_values;       // [d, 2·G·s]
  panels attention_output;  // [H·s, d]
  panels gate_up;           // [d, 2·I]
  panels down;              // [I, d]
};

// In the shapes of the parameters.
struct layer_gradients {
  float* attention_norm;
  float* query;
  float* key;
  float* value;
  float* attention_output;
  float* mlp_norm;
  float* gate;
  float* up;
  float* down;
};

struct gradients {
  float* embedding;
  float* final_norm;
  float* output;  // the embedding's where the two are tied
  const layer_gradients* layers;
};

// What a layer leaves for its backward. R rows: T, and U in the last layer.
struct layer_tape {
  float* x;         // [T, d] what it was given
  float* kv;        // [T, 2·G·s], keys turned
  float* q;         // [R, H·s], turned and scaled
  float* attended;  // [R, H·s]
  float* middle;    // [R, d] after attention
  float* gate_up;   // [R, 2·I]
};

// One batch of T rows and U places on its way.
struct tape {
  const layer_tape* layers;
  float* at_places;   // [U, d] what the last layer was given, at its places
  float* x;           // [U, d] before the final norm
  float* hidden;      // [U, d] after it
  float* logits;      // [U, V rounded up to 16]; after the backward their gradients
  float* normaliser;  // [U]
};

// Memory that lasts for one call.
struct scratch {
  float* normed;   // [T, d]
  float* dx;       // [T, d]
  float* dx_all;   // [T, d]
  float* dnormed;  // [T, d]
  float* dq;       // [T, H·s]
  float* dattended;  // [T, H·s]
  float* dkv;      // [T, 2·G·s]
  float* inner;    // [back_rows, I]
  float* dinner;   // [back_rows, I]
  float* dgate_up;  // [back_rows, 2·I]
  float* keys;     // [record_keys, s] in panels
  float* values;   // [record_keys, s] in panels
  float* scores;   // [back_tile, prompt and segment, each rounded up to 16]
  float* dscores;  // as scores
  float* token_gradient;  // [tokens]
};

// Rows that go back through the MLP together, queries that go back through attention together.
constexpr int64_t back_rows = 192;
constexpr int64_t back_tile = 64;

// One tensor of an optimiser; all have the same count.
struct adam_slot {
  float* parameter;
  const float* gradient;
  float* mean;
  float* square;
  int64_t count;
  float decay;  // what the parameter is multiplied by before the step
};

// The numbers of one step; see AdamOptimizer.
struct adam_step {
  float scale;  // of gradients
  float beta1;
  float rest1;  // 1 − β₁
  float beta2;
  float rest2;  // 1 − β₂
  float epsilon;
  float correction2;  // root of the squares' correction
  float rate;         // learning rate over the means' correction
};

#define MDT_TRAINING(set)                                                                                                                    \
  void learn_##set(const model& m, const batch& b, int64_t count, const tape& t, const scratch& w, float* token_logps, float* logps);        \
  void unlearn_##set(const model& m, const back_layer* back, const batch& b, int64_t count, const tape& t, const scratch& w,                 \
                     const float* dlogps, const gradients& to);                                                                             \
  void step_##set(const adam_slot& slot, const adam_step& step);                                                                             \
  double squares_##set(const float* x, int64_t count);
MDT_TRAINING(plain)
#if defined(__x86_64__)
MDT_TRAINING(avx2)
MDT_TRAINING(avx512)
#endif
#undef MDT_TRAINING

}  // namespace fused
}  // namespace mdt
