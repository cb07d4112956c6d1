using MassDpo.Policy.Devices;
using MassDpo.Policy.Lora;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Model;

/// <summary>
/// What a layer of the Llama family computes, part by part, for whoever lays places out and decides which of them see which.
/// <para>Legend of shapes: N rows, L places of a row, K places that may be seen, d hidden size, H heads, G key/value heads, s head size.</para>
/// </summary>
internal sealed class LlamaLayer(PolicyConfig config)
{
    /// <summary>RMSNorm of the last dimension: its factor in float32, that of the weight in the compute type.</summary>
    public Tensor Norm(Tensor x, Tensor weight)
    {
        var exact = x.InFloat32();
        return (exact * (exact.square().mean([-1], keepdim: true) + config.RmsNormEpsilon).rsqrt()).InType(x.dtype) * weight;
    }

    /// <summary>Keys, turned to their positions, and values: [N, G, L, s] each.</summary>
    /// <param name="w">the layer's</param>
    /// <param name="normed">[N·L, d] after the layer's first norm</param>
    /// <param name="rows">N</param>
    /// <param name="cos">[N or 1, 1, L, s/2], in the compute type</param>
    /// <param name="sin">likewise</param>
    /// <param name="adapters">leaves inputs of adapters out; null: none</param>
    public (Tensor Keys, Tensor Values) KeysAndValues(PolicyWeights.LayerWeights w, Tensor normed, long rows, Tensor cos, Tensor sin, AdapterTap? adapters)
    {
        var keys = Rotate(HeadNorm(Heads(w.Key.Of(normed, adapters), rows, config.KeyValueHeads), w.KeyNorm), cos, sin);
        return (keys, Heads(w.Value.Of(normed, adapters), rows, config.KeyValueHeads));
    }

    /// <summary>Queries, turned to their positions: [N, H, L, s]; else as <see cref="KeysAndValues"/>.</summary>
    public Tensor Queries(PolicyWeights.LayerWeights w, Tensor normed, long rows, Tensor cos, Tensor sin, AdapterTap? adapters) =>
        Rotate(HeadNorm(Heads(w.Query.Of(normed, adapters), rows, config.Heads), w.QueryNorm), cos, sin);

    /// <summary>softmax(q·kᵀ/√s + bias)·v, [N, H, L, s], the softmax in float32; where several query heads share a key/value head they are its rows.</summary>
    /// <param name="queries_NHLs">see above</param>
    /// <param name="keys_NGKs">see above</param>
    /// <param name="values_NGKs">see above</param>
    /// <param name="bias">[N or 1, 1, L, K]: 0 where a place sees another, −∞ where not; in the compute type</param>
    public Tensor Attend(Tensor queries_NHLs, Tensor keys_NGKs, Tensor values_NGKs, Tensor bias)
    {
        if (FusedAttention.Takes(queries_NHLs))
            return FusedAttention.Of(queries_NHLs, keys_NGKs, values_NGKs, bias);
        var (rows, heads, places, size) = (queries_NHLs.shape[0], queries_NHLs.shape[1], queries_NHLs.shape[2], queries_NHLs.shape[3]);
        if (heads == keys_NGKs.shape[1])
            return Shares(queries_NHLs, keys_NGKs, bias).matmul(values_NGKs);
        var grouped = queries_NHLs.view(rows, keys_NGKs.shape[1], -1, places, size);
        return Shares(grouped, keys_NGKs.unsqueeze(2), bias.unsqueeze(1)).matmul(values_NGKs.unsqueeze(2)).view(rows, heads, places, size);
    }

    // softmax(q·kᵀ/√s + bias). Queries that are scaled first save a pass over the scores, but round once more: in bfloat16 scores are scaled, in float32.
    private Tensor Shares(Tensor queries, Tensor keys, Tensor bias)
    {
        var scale = 1 / Math.Sqrt(config.HeadSize);
        return queries.dtype == ScalarType.Float32
            ? softmax(matmul(queries * scale, keys.transpose(-1, -2)) + bias, -1)
            : softmax(matmul(queries, keys.transpose(-1, -2)).InFloat32() * scale + bias, -1).InType(queries.dtype);
    }

    /// <summary>
    /// The same for one place of each row, [N, H, 1, s]. Query heads that share a key/value head are then its places, so that keys and values are read as they
    /// lie, once.
    /// </summary>
    public Tensor AttendOnce(Tensor queries_NH1s, Tensor keys_NGKs, Tensor values_NGKs, Tensor bias) =>
        Attend(queries_NH1s.view(queries_NH1s.shape[0], keys_NGKs.shape[1], -1, config.HeadSize), keys_NGKs, values_NGKs, bias).view(queries_NH1s.shape);

    /// <summary>What the layer gives: its input and what attention and MLP add to it, [N·L, d].</summary>
    /// <param name="w">the layer's</param>
    /// <param name="x">[N·L, d] the layer's input</param>
    /// <param name="attended_NHLs">see <see cref="Attend"/></param>
    /// <param name="dropout">probability at what each of the two adds; 0: none</param>
    /// <param name="adapters">see above</param>
    public Tensor Output(PolicyWeights.LayerWeights w, Tensor x, Tensor attended_NHLs, double dropout, AdapterTap? adapters)
    {
        var attended = attended_NHLs.transpose(1, 2).reshape(x.shape[0], config.Heads * config.HeadSize);
        x = x + Dropped(w.AttentionOutput.Of(attended, adapters), dropout);
        var normed = Norm(x, w.MlpNorm);
        return x + Dropped(w.Down.Of(silu(w.Gate.Of(normed, adapters)) * w.Up.Of(normed, adapters), adapters), dropout);
    }

    /// <summary>x with some of it left out at random, scaled so that its mean stays.</summary>
    public static Tensor Dropped(Tensor x, double probability) => probability > 0 ? dropout(x, probability, training: true) : x;

    private Tensor HeadNorm(Tensor heads, Tensor? weight) => weight is null ? heads : Norm(heads, weight);

    private static Tensor Heads(Tensor x, long rows, long heads) => x.view(rows, x.shape[0] / rows, heads, -1).transpose(1, 2);

    private static Tensor Rotate(Tensor x, Tensor cos, Tensor sin)
    {
        var half = x.shape[^1] / 2;
        var (first, second) = (x.narrow(-1, 0, half), x.narrow(-1, half, half));
        return cat([first * cos - second * sin, second * cos + first * sin], -1);
    }
}
