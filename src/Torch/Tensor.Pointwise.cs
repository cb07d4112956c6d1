using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Arithmetic and functions, element by element. A name that ends in _ works in place and returns the tensor itself.
    public partial class Tensor
    {
        // ---- arithmetic ----

        public Tensor add(Tensor target) => Made2(mdt_add(Handle, target.Handle), target);
        public Tensor add(Tensor target, Scalar alpha) => Made2(mdt_add_alpha(Handle, target.Handle, alpha.Value), target);
        public Tensor add(Scalar scalar) => Made1(mdt_add_scalar(Handle, scalar.Value));
        public Tensor add(Scalar scalar, Scalar alpha) => Made1(mdt_add_scalar_alpha(Handle, scalar.Value, alpha.Value));
        public Tensor add_(Tensor target) => Done(mdt_add_(Handle, target.Handle), target);
        public Tensor add_(Tensor target, Scalar alpha) => Done(mdt_add_alpha_(Handle, target.Handle, alpha.Value), target);
        public Tensor add_(Scalar scalar) => Done(mdt_add_scalar_(Handle, scalar.Value));
        public Tensor add_(Scalar scalar, Scalar alpha) => Done(mdt_add_scalar_alpha_(Handle, scalar.Value, alpha.Value));
        public Tensor sub(Tensor target) => Made2(mdt_sub(Handle, target.Handle), target);
        public Tensor sub(Scalar target) => Made1(mdt_sub_scalar(Handle, target.Value));
        public Tensor sub_(Tensor target) => Done(mdt_sub_(Handle, target.Handle), target);
        public Tensor sub_(Scalar target) => Done(mdt_sub_scalar_(Handle, target.Value));
        public Tensor subtract(Tensor target) => sub(target);
        public Tensor subtract(Scalar target) => sub(target);
        public Tensor subtract_(Tensor target) => sub_(target);
        public Tensor subtract_(Scalar target) => sub_(target);
        public Tensor mul(Tensor target) => Made2(mdt_mul(Handle, target.Handle), target);
        public Tensor mul(Scalar target) => Made1(mdt_mul_scalar(Handle, target.Value));
        public Tensor mul_(Tensor target) => Done(mdt_mul_(Handle, target.Handle), target);
        public Tensor mul_(Scalar target) => Done(mdt_mul_scalar_(Handle, target.Value));
        public Tensor multiply(Tensor target) => mul(target);
        public Tensor multiply(Scalar target) => mul(target);

        public Tensor div(Tensor target, RoundingMode rounding_mode = RoundingMode.None) =>
            Made2(mdt_div(Handle, target.Handle, (int)rounding_mode), target);

        public Tensor div(Scalar target, RoundingMode rounding_mode = RoundingMode.None) =>
            Made1(mdt_div_scalar(Handle, target.Value, (int)rounding_mode));

        public Tensor div_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) =>
            Done(mdt_div_(Handle, target.Handle, (int)rounding_mode), target);

        public Tensor div_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) =>
            Done(mdt_div_scalar_(Handle, target.Value, (int)rounding_mode));

        public Tensor divide(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => div(target, rounding_mode);
        public Tensor divide(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => div(target, rounding_mode);
        public Tensor divide_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => div_(target, rounding_mode);
        public Tensor divide_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => div_(target, rounding_mode);
        public Tensor remainder(Tensor target) => Made2(mdt_remainder(Handle, target.Handle), target);
        public Tensor remainder(Scalar scalar) => Made1(mdt_remainder_scalar(Handle, scalar.Value));
        public Tensor pow(Tensor exponent) => Made2(mdt_pow(Handle, exponent.Handle), exponent);
        public Tensor pow(Scalar exponent) => Made1(mdt_pow_scalar(Handle, exponent.Value));
        public Tensor pow_(Tensor exponent) => Done(mdt_pow_(Handle, exponent.Handle), exponent);
        public Tensor pow_(Scalar exponent) => Done(mdt_pow_scalar_(Handle, exponent.Value));

        // ---- this + value * tensor1 * tensor2, this + value * tensor1 / tensor2, this + weight * (end - this) ----

        public Tensor addcmul(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Made3(mdt_addcmul(Handle, tensor1.Handle, tensor2.Handle, value.Value), tensor1, tensor2);

        public Tensor addcmul_(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Done(mdt_addcmul_(Handle, tensor1.Handle, tensor2.Handle, value.Value), tensor1, tensor2);

        public Tensor addcdiv(Tensor tensor1, Tensor tensor2) => Made3(mdt_addcdiv(Handle, tensor1.Handle, tensor2.Handle, 1L), tensor1, tensor2);

        public Tensor addcdiv(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Made3(mdt_addcdiv(Handle, tensor1.Handle, tensor2.Handle, value.Value), tensor1, tensor2);

        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2) => Done(mdt_addcdiv_(Handle, tensor1.Handle, tensor2.Handle, 1L), tensor1, tensor2);

        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Done(mdt_addcdiv_(Handle, tensor1.Handle, tensor2.Handle, value.Value), tensor1, tensor2);

        public Tensor lerp(Tensor end, Tensor weight) => Made3(mdt_lerp(Handle, end.Handle, weight.Handle), end, weight);
        public Tensor lerp_(Tensor end, Tensor weight) => Done(mdt_lerp_(Handle, end.Handle, weight.Handle), end, weight);

        // ---- functions ----

        public Tensor neg() => Made1(mdt_neg(Handle));
        public Tensor neg_() => Done(mdt_neg_(Handle));
        public Tensor exp() => Made1(mdt_exp(Handle));
        public Tensor exp_() => Done(mdt_exp_(Handle));
        public Tensor log() => Made1(mdt_log(Handle));
        public Tensor log_() => Done(mdt_log_(Handle));
        public Tensor log1p() => Made1(mdt_log1p(Handle));
        public Tensor log1p_() => Done(mdt_log1p_(Handle));
        public Tensor expm1() => Made1(mdt_expm1(Handle));
        public Tensor expm1_() => Done(mdt_expm1_(Handle));
        public Tensor log2() => Made1(mdt_log2(Handle));
        public Tensor log2_() => Done(mdt_log2_(Handle));
        public Tensor log10() => Made1(mdt_log10(Handle));
        public Tensor log10_() => Done(mdt_log10_(Handle));
        public Tensor sqrt() => Made1(mdt_sqrt(Handle));
        public Tensor sqrt_() => Done(mdt_sqrt_(Handle));
        public Tensor rsqrt() => Made1(mdt_rsqrt(Handle));
        public Tensor rsqrt_() => Done(mdt_rsqrt_(Handle));
        public Tensor abs() => Made1(mdt_abs(Handle));
        public Tensor abs_() => Done(mdt_abs_(Handle));
        public Tensor sin() => Made1(mdt_sin(Handle));
        public Tensor sin_() => Done(mdt_sin_(Handle));
        public Tensor cos() => Made1(mdt_cos(Handle));
        public Tensor cos_() => Done(mdt_cos_(Handle));
        public Tensor tanh() => Made1(mdt_tanh(Handle));
        public Tensor tanh_() => Done(mdt_tanh_(Handle));
        public Tensor sigmoid() => Made1(mdt_sigmoid(Handle));
        public Tensor sigmoid_() => Done(mdt_sigmoid_(Handle));
        public Tensor floor() => Made1(mdt_floor(Handle));
        public Tensor floor_() => Done(mdt_floor_(Handle));
        public Tensor ceil() => Made1(mdt_ceil(Handle));
        public Tensor ceil_() => Done(mdt_ceil_(Handle));
        public Tensor trunc() => Made1(mdt_trunc(Handle));
        public Tensor trunc_() => Done(mdt_trunc_(Handle));
        public Tensor sign() => Made1(mdt_sign(Handle));
        public Tensor sign_() => Done(mdt_sign_(Handle));
        public Tensor reciprocal() => Made1(mdt_reciprocal(Handle));
        public Tensor reciprocal_() => Done(mdt_reciprocal_(Handle));
        public Tensor erf() => Made1(mdt_erf(Handle));
        public Tensor erf_() => Done(mdt_erf_(Handle));
        public Tensor negative() => neg();
        public Tensor absolute() => abs();
        public Tensor absolute_() => abs_();
        public Tensor square() => Made1(mdt_square(Handle));
        public Tensor round(long decimals = 0) => Made1(mdt_round(Handle, decimals));
        public Tensor round_(long decimals = 0) => Done(mdt_round_(Handle, decimals));

        // ---- bounds ----

        public Tensor clamp(Scalar? min = null, Scalar? max = null) => Made1(mdt_clamp(Handle, Bound(min), Bound(max)));
        public Tensor clamp(Tensor? min = null, Tensor? max = null) => Made3(mdt_clamp_tensor(Handle, min?.Handle ?? 0, max?.Handle ?? 0), min, max);
        public Tensor clamp_(Scalar? min = null, Scalar? max = null) => Done(mdt_clamp_(Handle, Bound(min), Bound(max)));
        public Tensor clamp_(Tensor? min = null, Tensor? max = null) => Done(mdt_clamp_tensor_(Handle, min?.Handle ?? 0, max?.Handle ?? 0), min, max);
        public Tensor clip(Scalar? min = null, Scalar? max = null) => clamp(min, max);
        public Tensor clamp_min(Scalar min) => clamp(min);
        public Tensor clamp_min_(Scalar min) => clamp_(min);
        public Tensor clamp_max(Scalar max) => clamp(null, max);
        public Tensor clamp_max_(Scalar max) => clamp_(null, max);
        public Tensor maximum(Tensor other) => Made2(mdt_maximum(Handle, other.Handle), other);
        public Tensor minimum(Tensor other) => Made2(mdt_minimum(Handle, other.Handle), other);
        public Tensor where(Tensor condition, Tensor y) => Made3(mdt_where(condition.Handle, Handle, y.Handle), condition, y);

        // ---- activations ----

        public Tensor relu() => Made1(mdt_relu(Handle));
        public Tensor relu_() => Done(mdt_relu_(Handle));
        public Tensor silu() => Made1(mdt_silu(Handle));
        public Tensor silu_() => Done(mdt_silu_(Handle));
        public Tensor gelu() => Made1(mdt_gelu(Handle, 0));
        public Tensor gelu_() => Done(mdt_gelu_(Handle, 0));
        public Tensor gelu(Modules.GELU.Approximate approximate) => Made1(mdt_gelu(Handle, (int)approximate));
        public Tensor gelu_(Modules.GELU.Approximate approximate) => Done(mdt_gelu_(Handle, (int)approximate));
        public Tensor softplus(double beta = 1, double threshold = 20) => Made1(mdt_softplus(Handle, beta, threshold));
        public Tensor log_sigmoid() => Made1(mdt_log_sigmoid(Handle));
        private static NativeScalar Bound(Scalar? value) => value?.Value ?? NativeScalar.None;
    }
}
