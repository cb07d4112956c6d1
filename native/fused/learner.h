// A policy that is being trained: its matrices in panels both ways, the tape of the batch on its way, and where gradients go.
#pragma once

#include "layout.h"
#include "memory.h"
#include "packing.h"
#include "training.h"

#include <memory>
#include <vector>

namespace mdt {
namespace fused {

class learner {
 public:
  // Tensors as pack takes them, gradients in the same order and shapes; all are the caller's and outlive this.
  learner(const shape& dims, const float* const* tensors, float* const* gradients);

  // Takes the weights as they are now.
  void refresh();

  // Log-probabilities [C] of some pools, which the next backward is about.
  void forward(const pools& given, int32_t level, float* logps);

  // Adds to the gradients, from those of the log-probabilities [C].
  void backward(int32_t level, const float* dlogps);

 private:
  // Lays tape and scratch out in memory that only ever grows.
  void carve();

  shape dims;
  std::vector<const float*> tensors;
  std::vector<layer_gradients> into_layers;
  gradients into;
  packed_model packed;
  memory back_numbers;
  std::vector<back_layer> back;
  std::unique_ptr<layout> laid;
  batch laid_batch{};
  memory numbers;
  int64_t capacity = 0;
  std::vector<layer_tape> layer_tapes;
  fused::tape on_tape{};
  fused::scratch work{};
  float* token_logps = nullptr;
};

}  // namespace fused
}  // namespace mdt
