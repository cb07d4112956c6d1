using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Devices;

/// <summary>
/// Attention by the device's own kernels (FlashAttention, arXiv 2205.14135, and its like, as libtorch chooses), which never hold the scores, [N, H, L, K]. What it
/// is held against is <see cref="Model.Attention.Plain"/>.
/// </summary>
internal static class FusedAttention
{
    /// <summary>Whether queries like these go through it: those on CUDA, from libtorch 2.0 on.</summary>
    public static bool Takes(Tensor queries) => queries.device_type == DeviceType.CUDA && DeviceLibrary.HasFusedAttention;

    /// <summary>softmax(q·kᵀ/√s + bias)·v, [N, H, L, s]; several query heads may share a key/value head.</summary>
    /// <param name="queries_NHLs">[N, H, L, s]</param>
    /// <param name="keys_NGKs">[N, G, K, s]</param>
    /// <param name="values_NGKs">[N, G, K, s]</param>
    /// <param name="bias">[N or 1, 1, L or 1, K], in the queries' type</param>
    public static Tensor Of(Tensor queries_NHLs, Tensor keys_NGKs, Tensor values_NGKs, Tensor bias)
    {
        var heads = queries_NHLs.shape[1];
        return scaled_dot_product_attention(queries_NHLs, ForEach(heads, keys_NGKs), ForEach(heads, values_NGKs), bias);
    }

    // Key/value heads as often as query heads ask for them.
    private static Tensor ForEach(long heads, Tensor x_NGKs)
    {
        var (rows, own, places, size) = (x_NGKs.shape[0], x_NGKs.shape[1], x_NGKs.shape[2], x_NGKs.shape[3]);
        return own == heads ? x_NGKs : x_NGKs.unsqueeze(2).expand([rows, own, heads / own, places, size]).reshape(rows, heads, places, size);
    }
}
