using System.Runtime.InteropServices;

namespace TorchSharp;

// native/core/functional.cpp
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern nint mdt_linear(nint input, nint weight, nint bias);
    [DllImport(Library)] internal static extern nint mdt_dropout(nint input, double p, int training);
    [DllImport(Library)] internal static extern int mdt_dropout_(nint input, double p, int training);
    [DllImport(Library)] internal static extern nint mdt_relu(nint a);
    [DllImport(Library)] internal static extern int mdt_relu_(nint a);
    [DllImport(Library)] internal static extern nint mdt_silu(nint a);
    [DllImport(Library)] internal static extern int mdt_silu_(nint a);
    [DllImport(Library)] internal static extern nint mdt_gelu(nint a, int tanh);
    [DllImport(Library)] internal static extern int mdt_gelu_(nint a, int tanh);
    [DllImport(Library)] internal static extern nint mdt_softplus(nint a, double beta, double threshold);
    [DllImport(Library)] internal static extern nint mdt_log_sigmoid(nint a);
    [DllImport(Library)]
    internal static extern nint mdt_cross_entropy(nint input, nint target, nint weight, long ignoreIndex, long reduction, double smoothing);
    [DllImport(Library)] internal static extern nint mdt_nll_loss(nint input, nint target, nint weight, long reduction);
    [DllImport(Library)] internal static extern nint mdt_mse_loss(nint input, nint target, long reduction);
    [DllImport(Library)]
    internal static extern nint mdt_binary_cross_entropy_with_logits(nint input, nint target, nint weight, nint posWeight, long reduction);
    [DllImport(Library)] internal static extern nint mdt_pad(nint input, long* d, int n, int mode, double value);
    [DllImport(Library)] internal static extern nint mdt_one_hot(nint a, long classes);
    [DllImport(Library)] internal static extern nint mdt_normalize(nint a, double p, long dim, double eps);
    [DllImport(Library)] internal static extern nint mdt_layer_norm(nint a, long* d, int n, nint weight, nint bias, double eps);
    [DllImport(Library)] internal static extern nint mdt_attention(nint query, nint key, nint value, nint mask, double p, int causal);
    [DllImport(Library)] internal static extern int mdt_clip_grad_norm_(nint* parameters, int count, double maxNorm, double p, double* total);
}
