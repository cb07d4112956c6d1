// Element by element: arithmetic, functions, comparisons, logic.
#include "mdt.h"

using namespace mdt;

#define UNARY(name) \
  MDT_API tensor mdt_##name(tensor a) { MDT_TENSOR(at::name(*a)); }
#define UNARY_IN_PLACE(name) \
  MDT_API int32_t mdt_##name##_(tensor a) { MDT_DO(a->name##_()); }
#define UNARY_BOTH(name) UNARY(name) UNARY_IN_PLACE(name)

UNARY_BOTH(neg)
UNARY_BOTH(exp)
UNARY_BOTH(log)
UNARY_BOTH(log1p)
UNARY_BOTH(expm1)
UNARY_BOTH(log2)
UNARY_BOTH(log10)
UNARY_BOTH(sqrt)
UNARY_BOTH(rsqrt)
UNARY_BOTH(abs)
UNARY_BOTH(sin)
UNARY_BOTH(cos)
UNARY_BOTH(tanh)
UNARY_BOTH(sigmoid)
UNARY_BOTH(floor)
UNARY_BOTH(ceil)
UNARY_BOTH(trunc)
UNARY_BOTH(sign)
UNARY_BOTH(reciprocal)
UNARY_BOTH(erf)
UNARY_BOTH(logical_not)
UNARY_BOTH(bitwise_not)
UNARY(square)
UNARY(isnan)
UNARY(isinf)
UNARY(isfinite)

MDT_API tensor mdt_round(tensor a, int64_t decimals) {
  MDT_TENSOR(at::round(*a, decimals));
}

MDT_API int32_t mdt_round_(tensor a, int64_t decimals) {
  MDT_DO(a->round_(decimals));
}

// ---- two operands ----

MDT_API tensor mdt_add(tensor a, tensor b) {
  MDT_TENSOR(at::add(*a, *b));
}

MDT_API tensor mdt_add_alpha(tensor a, tensor b, scalar alpha) {
  MDT_TENSOR(at::add(*a, *b, to_scalar(alpha)));
}

MDT_API tensor mdt_add_scalar(tensor a, scalar b) {
  MDT_TENSOR(at::add(*a, to_scalar(b)));
}

MDT_API tensor mdt_add_scalar_alpha(tensor a, scalar b, scalar alpha) {
  MDT_TENSOR(at::add(*a, to_scalar(b), to_scalar(alpha)));
}

MDT_API int32_t mdt_add_(tensor a, tensor b) {
  MDT_DO(a->add_(*b));
}

MDT_API int32_t mdt_add_alpha_(tensor a, tensor b, scalar alpha) {
  MDT_DO(a->add_(*b, to_scalar(alpha)));
}

MDT_API int32_t mdt_add_scalar_(tensor a, scalar b) {
  MDT_DO(a->add_(to_scalar(b)));
}

MDT_API int32_t mdt_add_scalar_alpha_(tensor a, scalar b, scalar alpha) {
  MDT_DO(a->add_(to_scalar(b), to_scalar(alpha)));
}

MDT_API tensor mdt_sub(tensor a, tensor b) {
  MDT_TENSOR(at::sub(*a, *b));
}

MDT_API tensor mdt_sub_scalar(tensor a, scalar b) {
  MDT_TENSOR(at::sub(*a, to_scalar(b)));
}

// b - a
MDT_API tensor mdt_rsub_scalar(tensor a, scalar b) {
  MDT_TENSOR(at::rsub(*a, to_scalar(b)));
}

MDT_API int32_t mdt_sub_(tensor a, tensor b) {
  MDT_DO(a->sub_(*b));
}

MDT_API int32_t mdt_sub_scalar_(tensor a, scalar b) {
  MDT_DO(a->sub_(to_scalar(b)));
}

MDT_API tensor mdt_mul(tensor a, tensor b) {
  MDT_TENSOR(at::mul(*a, *b));
}

MDT_API tensor mdt_mul_scalar(tensor a, scalar b) {
  MDT_TENSOR(at::mul(*a, to_scalar(b)));
}

MDT_API int32_t mdt_mul_(tensor a, tensor b) {
  MDT_DO(a->mul_(*b));
}

MDT_API int32_t mdt_mul_scalar_(tensor a, scalar b) {
  MDT_DO(a->mul_(to_scalar(b)));
}

// The rounding modes of torch.RoundingMode: none, trunc, floor.
static const char* const rounding_names[] = {nullptr, "trunc", "floor"};

static const char* rounding_name(int32_t mode) {
  TORCH_CHECK(mode >= 0 && mode <= 2, "no such rounding mode: ", mode);
  return rounding_names[mode];
}

MDT_API tensor mdt_div(tensor a, tensor b, int32_t mode) {
  MDT_TENSOR(mode == 0 ? at::div(*a, *b) : at::div(*a, *b, rounding_name(mode)));
}

MDT_API tensor mdt_div_scalar(tensor a, scalar b, int32_t mode) {
  MDT_TENSOR(mode == 0 ? at::div(*a, to_scalar(b)) : at::div(*a, to_scalar(b), rounding_name(mode)));
}

MDT_API int32_t mdt_div_(tensor a, tensor b, int32_t mode) {
  MDT_DO(mode == 0 ? a->div_(*b) : a->div_(*b, rounding_name(mode)));
}

MDT_API int32_t mdt_div_scalar_(tensor a, scalar b, int32_t mode) {
  MDT_DO(mode == 0 ? a->div_(to_scalar(b)) : a->div_(to_scalar(b), rounding_name(mode)));
}

// b / a
MDT_API tensor mdt_rdiv_scalar(tensor a, scalar b) {
  MDT_TENSOR(at::mul(at::reciprocal(*a), to_scalar(b)));
}

MDT_API tensor mdt_remainder(tensor a, tensor b) {
  MDT_TENSOR(at::remainder(*a, *b));
}

MDT_API tensor mdt_remainder_scalar(tensor a, scalar b) {
  MDT_TENSOR(at::remainder(*a, to_scalar(b)));
}

MDT_API tensor mdt_pow(tensor a, tensor b) {
  MDT_TENSOR(at::pow(*a, *b));
}

MDT_API tensor mdt_pow_scalar(tensor a, scalar b) {
  MDT_TENSOR(at::pow(*a, to_scalar(b)));
}

MDT_API int32_t mdt_pow_(tensor a, tensor b) {
  MDT_DO(a->pow_(*b));
}

MDT_API int32_t mdt_pow_scalar_(tensor a, scalar b) {
  MDT_DO(a->pow_(to_scalar(b)));
}

MDT_API tensor mdt_maximum(tensor a, tensor b) {
  MDT_TENSOR(at::maximum(*a, *b));
}

MDT_API tensor mdt_minimum(tensor a, tensor b) {
  MDT_TENSOR(at::minimum(*a, *b));
}

MDT_API tensor mdt_clamp(tensor a, scalar low, scalar high) {
  MDT_TENSOR(at::clamp(*a, to_optional(low), to_optional(high)));
}

MDT_API int32_t mdt_clamp_(tensor a, scalar low, scalar high) {
  MDT_DO(a->clamp_(to_optional(low), to_optional(high)));
}

MDT_API tensor mdt_clamp_tensor(tensor a, tensor low, tensor high) {
  MDT_TENSOR(at::clamp(*a, to_optional(low), to_optional(high)));
}

MDT_API int32_t mdt_clamp_tensor_(tensor a, tensor low, tensor high) {
  MDT_DO(a->clamp_(to_optional(low), to_optional(high)));
}

// ---- three operands ----

MDT_API tensor mdt_addcmul(tensor a, tensor b, tensor c, scalar value) {
  MDT_TENSOR(at::addcmul(*a, *b, *c, to_scalar(value)));
}

MDT_API int32_t mdt_addcmul_(tensor a, tensor b, tensor c, scalar value) {
  MDT_DO(a->addcmul_(*b, *c, to_scalar(value)));
}

MDT_API tensor mdt_addcdiv(tensor a, tensor b, tensor c, scalar value) {
  MDT_TENSOR(at::addcdiv(*a, *b, *c, to_scalar(value)));
}

MDT_API int32_t mdt_addcdiv_(tensor a, tensor b, tensor c, scalar value) {
  MDT_DO(a->addcdiv_(*b, *c, to_scalar(value)));
}

MDT_API tensor mdt_lerp(tensor a, tensor end, tensor weight) {
  MDT_TENSOR(at::lerp(*a, *end, *weight));
}

MDT_API int32_t mdt_lerp_(tensor a, tensor end, tensor weight) {
  MDT_DO(a->lerp_(*end, *weight));
}

MDT_API tensor mdt_where(tensor condition, tensor a, tensor b) {
  MDT_TENSOR(at::where(*condition, *a, *b));
}

// ---- comparisons and logic ----

#define COMPARISON(name)                                                                                 \
  MDT_API tensor mdt_##name(tensor a, tensor b) { MDT_TENSOR(at::name(*a, *b)); }                        \
  MDT_API tensor mdt_##name##_scalar(tensor a, scalar b) { MDT_TENSOR(at::name(*a, to_scalar(b))); }

COMPARISON(eq)
COMPARISON(ne)
COMPARISON(lt)
COMPARISON(le)
COMPARISON(gt)
COMPARISON(ge)

#define LOGIC(name)                                                                 \
  MDT_API tensor mdt_##name(tensor a, tensor b) { MDT_TENSOR(at::name(*a, *b)); }   \
  MDT_API int32_t mdt_##name##_(tensor a, tensor b) { MDT_DO(a->name##_(*b)); }

LOGIC(logical_and)
LOGIC(logical_or)
LOGIC(logical_xor)
LOGIC(bitwise_and)
LOGIC(bitwise_or)
LOGIC(bitwise_xor)

MDT_API int32_t mdt_equal(tensor a, tensor b, int32_t* into) {
  MDT_DO(*into = at::equal(*a, *b) ? 1 : 0);
}

MDT_API int32_t mdt_allclose(tensor a, tensor b, double rtol, double atol, int32_t equal_nan, int32_t* into) {
  MDT_DO(*into = at::allclose(*a, *b, rtol, atol, equal_nan != 0) ? 1 : 0);
}

MDT_API tensor mdt_isclose(tensor a, tensor b, double rtol, double atol, int32_t equal_nan) {
  MDT_TENSOR(at::isclose(*a, *b, rtol, atol, equal_nan != 0));
}
