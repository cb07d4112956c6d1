// What neural networks are made of: layers as functions, activations, losses.
#include "mdt.h"

#include <c10/core/GradMode.h>

#include <cmath>
#include <limits>

using namespace mdt;

MDT_API tensor mdt_linear(tensor input, tensor weight, tensor bias) {
  MDT_TENSOR(at::linear(*input, *weight, to_optional(bias)));
}

MDT_API tensor mdt_dropout(tensor input, double p, int32_t training) {
  MDT_TENSOR(at::dropout(*input, p, training != 0));
}

MDT_API int32_t mdt_dropout_(tensor input, double p, int32_t training) {
  MDT_DO(at::dropout_(*input, p, training != 0));
}

MDT_API tensor mdt_relu(tensor a) {
  MDT_TENSOR(at::relu(*a));
}

MDT_API int32_t mdt_relu_(tensor a) {
  MDT_DO(a->relu_());
}

MDT_API tensor mdt_silu(tensor a) {
  MDT_TENSOR(at::silu(*a));
}

MDT_API int32_t mdt_silu_(tensor a) {
  MDT_DO(at::silu_(*a));
}

MDT_API tensor mdt_gelu(tensor a, int32_t tanh) {
  MDT_TENSOR(at::gelu(*a, tanh ? "tanh" : "none"));
}

MDT_API int32_t mdt_gelu_(tensor a, int32_t tanh) {
  MDT_DO(at::gelu_(*a, tanh ? "tanh" : "none"));
}

MDT_API tensor mdt_softplus(tensor a, double beta, double threshold) {
  MDT_TENSOR(at::softplus(*a, beta, threshold));
}

MDT_API tensor mdt_log_sigmoid(tensor a) {
  MDT_TENSOR(at::log_sigmoid(*a));
}

MDT_API tensor mdt_cross_entropy(tensor input, tensor target, tensor weight, int64_t ignore_index, int64_t reduction, double smoothing) {
  MDT_TENSOR(at::cross_entropy_loss(*input, *target, to_optional(weight), reduction, ignore_index, smoothing));
}

MDT_API tensor mdt_nll_loss(tensor input, tensor target, tensor weight, int64_t reduction) {
  MDT_TENSOR(at::nll_loss_nd(*input, *target, to_optional(weight), reduction, /*ignore_index=*/-100));
}

MDT_API tensor mdt_mse_loss(tensor input, tensor target, int64_t reduction) {
  MDT_TENSOR(at::mse_loss(*input, *target, reduction));
}

MDT_API tensor mdt_binary_cross_entropy_with_logits(tensor input, tensor target, tensor weight, tensor pos_weight, int64_t reduction) {
  MDT_TENSOR(at::binary_cross_entropy_with_logits(*input, *target, to_optional(weight), to_optional(pos_weight), reduction));
}

// The padding modes of PaddingModes: zeros, reflect, replicate, circular, constant.
MDT_API tensor mdt_pad(tensor input, const int64_t* d, int32_t n, int32_t mode, double value) {
  MDT_TENSOR([&] {
    switch (mode) {
      case 1: return at::pad(*input, dims(d, n), "reflect");
      case 2: return at::pad(*input, dims(d, n), "replicate");
      case 3: return at::pad(*input, dims(d, n), "circular");
      default: return at::pad(*input, dims(d, n), "constant", value);
    }
  }());
}

MDT_API tensor mdt_one_hot(tensor a, int64_t classes) {
  MDT_TENSOR(at::one_hot(*a, classes));
}

MDT_API tensor mdt_normalize(tensor a, double p, int64_t dim, double eps) {
  MDT_TENSOR(*a / at::norm(*a, p, at::IntArrayRef(dim), true).clamp_min(eps).expand_as(*a));
}

MDT_API tensor mdt_layer_norm(tensor a, const int64_t* d, int32_t n, tensor weight, tensor bias, double eps) {
  MDT_TENSOR(at::layer_norm(*a, dims(d, n), to_optional(weight), to_optional(bias), eps));
}

#if !MDT_TORCH_AT_LEAST(2, 0)
// What PyTorch 2's function of this name computes.
static at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, tensor mask, double p, bool causal) {
  auto scores = at::matmul(query / std::sqrt(static_cast<double>(query.size(-1))), key.transpose(-2, -1));
  if (causal) {
    const auto allowed = at::ones({query.size(-2), key.size(-2)}, query.options().dtype(at::kBool)).tril();
    scores = scores.masked_fill(allowed.logical_not(), -std::numeric_limits<double>::infinity());
  } else if (mask != nullptr) {
    scores = mask->scalar_type() == at::kBool ? scores.masked_fill(mask->logical_not(), -std::numeric_limits<double>::infinity()) : scores + *mask;
  }
  auto weights = at::softmax(scores, -1);
  if (p > 0) weights = at::dropout(weights, p, true);
  return at::matmul(weights, value);
}
#endif

MDT_API tensor mdt_attention(tensor query, tensor key, tensor value, tensor mask, double p, int32_t causal) {
#if MDT_TORCH_AT_LEAST(2, 0)
  MDT_TENSOR(at::scaled_dot_product_attention(*query, *key, *value, to_optional(mask), p, causal != 0));
#else
  MDT_TENSOR(attention(*query, *key, *value, mask, p, causal != 0));
#endif
}

// Whether libtorch has kernels for the function before that never hold the scores.
MDT_API int32_t mdt_has_fused_attention() {
  return MDT_TORCH_AT_LEAST(2, 0) ? 1 : 0;
}

// Scales the gradients in place so that their norm, taken over all of them together, is at most max_norm; tells the norm there was.
MDT_API int32_t mdt_clip_grad_norm_(const tensor* parameters, int32_t count, double max_norm, double p, double* total) {
  MDT_DO({
    c10::NoGradGuard no_grad;
    std::vector<at::Tensor> gradients;
    for (int32_t i = 0; i < count; ++i) {
      if (parameters[i]->grad().defined()) gradients.push_back(parameters[i]->grad());
    }
    *total = 0;
    if (gradients.empty()) return;
    const auto device = gradients.front().device();
    std::vector<at::Tensor> norms;
    for (const auto& gradient : gradients) {
      norms.push_back((std::isinf(p) ? gradient.abs().max() : at::norm(gradient, p)).to(device));
    }
    const auto together = at::stack(norms);
    const auto norm = std::isinf(p) ? together.max() : at::norm(together, p);
    const auto factor = (max_norm / (norm + 1e-6)).clamp_max(1.0);
    for (auto& gradient : gradients) gradient.mul_(factor.to(gradient.device()));
    *total = norm.item<double>();
  });
}
