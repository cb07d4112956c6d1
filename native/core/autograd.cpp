// Gradients: what records them, what computes them, where they lie.
#include "mdt.h"

#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

using namespace mdt;

MDT_API int32_t mdt_grad_enabled() {
  return c10::GradMode::is_enabled() ? 1 : 0;
}

MDT_API void mdt_set_grad_enabled(int32_t on) {
  c10::GradMode::set_enabled(on != 0);
}

MDT_API int32_t mdt_inference_mode_enabled() {
  return c10::InferenceMode::is_enabled() ? 1 : 0;
}

// A guard that must be deleted on the thread that made it.
MDT_API c10::InferenceMode* mdt_inference_mode_enter(int32_t on) {
  try {
    return new c10::InferenceMode(on != 0);
  } catch (...) {
    keep_error();
    return nullptr;
  }
}

MDT_API void mdt_inference_mode_leave(c10::InferenceMode* guard) {
  delete guard;
}

MDT_API int32_t mdt_set_requires_grad(tensor a, int32_t on) {
  MDT_DO(a->set_requires_grad(on != 0));
}

MDT_API int32_t mdt_retain_grad(tensor a) {
  MDT_DO(a->retain_grad());
}

// Null without failure when there is no gradient: the second result tells the two apart.
MDT_API int32_t mdt_grad(tensor a, tensor* into) {
  MDT_DO({
    const auto& gradient = a->grad();
    *into = gradient.defined() ? new at::Tensor(gradient) : nullptr;
  });
}

MDT_API int32_t mdt_set_grad(tensor a, tensor gradient) {
  MDT_DO(a->mutable_grad() = or_undefined(gradient));
}

MDT_API int32_t mdt_backward(const tensor* outputs, int32_t count, const tensor* gradients, int32_t gradient_count, int32_t retain_graph,
                             int32_t create_graph, const tensor* inputs, int32_t input_count) {
  MDT_DO(torch::autograd::backward(list(outputs, count), list(gradients, gradient_count), retain_graph != 0, create_graph != 0,
                                   list(inputs, input_count)));
}

MDT_API int64_t mdt_autograd_grad(const tensor* outputs, int32_t count, const tensor* inputs, int32_t input_count, const tensor* gradients,
                                  int32_t gradient_count, int32_t retain_graph, int32_t create_graph, int32_t allow_unused) {
  MDT_LIST(torch::autograd::grad(list(outputs, count), list(inputs, input_count), list(gradients, gradient_count), retain_graph != 0,
                                 create_graph != 0, allow_unused != 0));
}
