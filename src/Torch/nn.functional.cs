using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>What neural networks are made of.</summary>
    public static partial class nn
    {
        /// <summary>Layers, activations and losses as functions.</summary>
        public static partial class functional
        {
            // ---- layers ----

            /// <summary>input @ weights.T + bias</summary>
            public static Tensor linear(Tensor input, Tensor weights, Tensor? bias = null) =>
                Tensor.Made(mdt_linear(input.Handle, weights.Handle, bias?.Handle ?? 0), input, weights, bias);

            public static Tensor dropout(Tensor input, double p = 0.5, bool training = true, bool inplace = false)
            {
                if (!inplace)
                    return Tensor.Made(mdt_dropout(input.Handle, p, training ? 1 : 0), input);
                Check(mdt_dropout_(input.Handle, p, training ? 1 : 0));
                GC.KeepAlive(input);
                return input.alias();
            }

            public static unsafe Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null,
                double eps = 1e-05)
            {
                fixed (long* p = normalized_shape)
                {
                    return Tensor.Made(
                        mdt_layer_norm(input.Handle, p, normalized_shape.Length, weight?.Handle ?? 0, bias?.Handle ?? 0, eps), input, weight, bias);
                }
            }

            /// <summary>The input over its norms along a dimension.</summary>
            public static Tensor normalize(Tensor input, double p = 2, long dim = 1, double eps = 1e-12) =>
                Tensor.Made(mdt_normalize(input.Handle, p, dim, eps), input);

            /// <summary>softmax(query @ key.T / sqrt(width) + attn_mask) @ value; a mask of truth values says what may be attended to.</summary>
            public static Tensor scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0,
                bool is_casual = false)
            {
                if (p < 0)
                    throw new ArgumentException("Dropout probability must be greater than or equal to zero.");
                if (is_casual && attn_mask is not null)
                    throw new ArgumentException("Casual attention masking cannot pass a mask.");
                return Tensor.Made(
                    mdt_attention(query.Handle, key.Handle, value.Handle, attn_mask?.Handle ?? 0, p, is_casual ? 1 : 0),
                    query, key, value, attn_mask);
            }

            public static Tensor one_hot(Tensor x, long num_classes = -1) => Tensor.Made(mdt_one_hot(x.Handle, num_classes), x);

            // ---- padding: the last dimension's two sides first ----

            public static unsafe Tensor pad(Tensor input, ReadOnlySpan<long> pad, PaddingModes mode = PaddingModes.Constant, double value = 0)
            {
                fixed (long* p = pad)
                    return Tensor.Made(mdt_pad(input.Handle, p, pad.Length, (int)mode, value), input);
            }

            public static Tensor pad(Tensor input, long[] pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, (ReadOnlySpan<long>)pad, mode, value);

            public static Tensor pad(Tensor input, (long, long) pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, (ReadOnlySpan<long>)[pad.Item1, pad.Item2], mode, value);

            public static Tensor pad(Tensor input, (long, long, long, long) pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, (ReadOnlySpan<long>)[pad.Item1, pad.Item2, pad.Item3, pad.Item4], mode, value);

            /// <summary>As much on both sides of every dimension.</summary>
            public static Tensor pad(Tensor input, long pad, PaddingModes mode = PaddingModes.Constant, double value = 0)
            {
                var sides = new long[input.ndim * 2];
                Array.Fill(sides, pad);
                return functional.pad(input, (ReadOnlySpan<long>)sides, mode, value);
            }

            // ---- activations ----

            public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => input.softmax(dim, dtype);

            public static Tensor log_softmax(Tensor x, long dim) => x.log_softmax(dim);

            public static Tensor relu(Tensor x, bool inplace = false) => inplace ? x.relu_().alias() : x.relu();

            public static Tensor silu(Tensor x, bool inplace = false) => inplace ? x.silu_().alias() : x.silu();

            public static Tensor gelu(Tensor x) => x.gelu();

            public static Tensor gelu(Tensor x, bool inplace) => inplace ? x.gelu_().alias() : x.gelu();

            public static Tensor gelu(Tensor x, Modules.GELU.Approximate approximate, bool inplace = false) =>
                inplace ? x.gelu_(approximate).alias() : x.gelu(approximate);

            public static Tensor tanh(Tensor x, bool inplace = false) => inplace ? x.tanh_().alias() : x.tanh();

            public static Tensor sigmoid(Tensor x) => x.sigmoid();

            public static Tensor sigmoid(Tensor x, bool inplace) => inplace ? x.sigmoid_().alias() : x.sigmoid();

            public static Tensor softplus(Tensor x, double beta = 1, double threshold = 20) => x.softplus(beta, threshold);

            public static Tensor logsigmoid(Tensor x) => x.log_sigmoid();

            // ---- losses ----

            /// <summary>From scores and the numbers, or the probabilities, of classes.</summary>
            public static Tensor cross_entropy(Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100,
                Reduction reduction = Reduction.Mean, double label_smoothing = 0) =>
                Tensor.Made(
                    mdt_cross_entropy(input.Handle, target.Handle, weight?.Handle ?? 0, ignore_index, (long)reduction, label_smoothing),
                    input, target, weight);

            /// <summary>From logarithms of probabilities and the numbers of classes.</summary>
            public static Tensor nll_loss(Tensor input, Tensor target, Tensor? weight = null, Reduction reduction = Reduction.Mean) =>
                Tensor.Made(mdt_nll_loss(input.Handle, target.Handle, weight?.Handle ?? 0, (long)reduction), input, target, weight);

            public static Tensor mse_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean) =>
                Tensor.Made(mdt_mse_loss(input.Handle, target.Handle, (long)reduction), input, target);

            public static Tensor binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight = null,
                Reduction reduction = Reduction.Mean, Tensor? pos_weights = null) =>
                Tensor.Made(
                    mdt_binary_cross_entropy_with_logits(
                        input.Handle, target.Handle, weight?.Handle ?? 0, pos_weights?.Handle ?? 0, (long)reduction),
                    input, target, weight, pos_weights);
        }

        public static Modules.Parameter Parameter(Tensor data, bool requires_grad = true) => new(data, requires_grad);

        /// <summary>What helps in training.</summary>
        public static partial class utils
        {
            /// <summary>
            /// Scales the parameters' gradients in place so that their norm, over all of them together, is at most max_norm. Returns what it was.
            /// </summary>
            public static unsafe double clip_grad_norm_(IEnumerable<Modules.Parameter> tensors, double max_norm, double norm_type = 2)
            {
                var list = tensors.ToArray<Tensor>();
                var handles = new nint[list.Length];
                Tensor.CopyHandles(list, handles);
                double result;
                fixed (nint* p = handles)
                    Check(mdt_clip_grad_norm_(p, handles.Length, max_norm, norm_type, &result));
                GC.KeepAlive(list);
                return result;
            }
        }
    }
}
