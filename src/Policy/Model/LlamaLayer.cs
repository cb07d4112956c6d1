using MassDpo.Policy.Lora;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Model;

/// <summary>
/// What a layer of the Llama family computes, part by part, for whoever lays places out and decides which of them see which.
/// <para>Legend of shapes: N rows, L places of a row, d hidden size, H heads, G key/value heads, s head size.</para>
/// </summary>
/// <param name="config">of the policy</param>
/// <param name="mostScores">of attention that are held at a time</param>
internal sealed class LlamaLayer(PolicyConfig config, long mostScores)
{
    public Attention Attention { get; } = new(config, mostScores);

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

    /// <summary>What the layer gives: its input and what attention and MLP add to it, [N·L, d].</summary>
    /// <param name="w">the layer's</param>
    /// <param name="x">[N·L, d] the layer's input</param>
    /// <param name="attended_NHLs">see <see cref="Attention"/></param>
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
