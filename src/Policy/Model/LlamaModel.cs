using MassDpo.Policy.Lora;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Model;

/// <summary>
/// The forward of a policy of the Llama family over packs: RMSNorm, rotary embeddings, grouped-query attention, SwiGLU, and what Mistral and Qwen add to
/// them. It holds no weights: any published copy can be run. Thread-safe.
/// <para>Legend of shapes: N rows, L columns, R predicting places of a row, U of all rows, T response tokens, C candidates, d hidden size, H heads,
/// G key/value heads, V vocabulary.</para>
/// </summary>
/// <param name="config">the architecture</param>
/// <param name="device">where the weights lie that it is given; null: on the CPU</param>
public sealed class LlamaModel(PolicyConfig config, Device? device = null) : IDisposable
{
    private readonly RotaryTable _rotary = new(config, device);
    private readonly LlamaLayer _layer = new(config);

    public PolicyConfig Config => config;

    internal RotaryTable Rotary => _rotary;

    internal LlamaLayer Parts => _layer;

    /// <summary>
    /// The last hidden states, after the final norm, at the places that predict response tokens: [U, d]. The last layer computes its queries and its
    /// MLP at those places alone, since nothing else is asked of it.
    /// </summary>
    /// <param name="weights">of any version</param>
    /// <param name="batch">the packs</param>
    /// <param name="dropout">probability at the embedding and at what each layer adds; 0: none</param>
    public Tensor Hidden(PolicyWeights weights, PackedBatch batch, double dropout = 0) => Hidden(weights, batch, dropout, null);

    internal Tensor Hidden(PolicyWeights weights, PackedBatch batch, double dropout, AdapterTap? adapters)
    {
        using var scope = NewDisposeScope();
        var frame = Frame(weights, batch);
        var x = LlamaLayer.Dropped(Embed(weights, batch), dropout);
        for (var layer = 0; layer < config.Layers; layer++)
            x = Layer(weights, batch, frame, layer, x, dropout, adapters);
        return Last(weights, batch, x).MoveToOuterDisposeScope();
    }

    /// <summary>What the tokens of packs are at first: [N·L, d].</summary>
    internal static Tensor Embed(PolicyWeights weights, PackedBatch batch) => weights.Embedding.index_select(0, batch.Tokens);

    /// <summary>What one layer makes of its input, [N·L, d]: the same, and of the last one [N·R, d].</summary>
    internal Tensor Layer(PolicyWeights weights, PackedBatch batch, ForwardFrame frame, int layer, Tensor x, double dropout, AdapterTap? adapters)
    {
        using var scope = NewDisposeScope();
        var w = weights.Layers[layer];
        var (cos, sin) = (frame.Cos, frame.Sin);
        var visible = config.WindowOf(layer) is null ? frame.Visible : frame.InWindow;
        var normed = _layer.Norm(x, w.AttentionNorm);
        var (keys, values) = _layer.KeysAndValues(w, normed, batch.Rows, cos, sin, adapters);
        if (layer == config.Layers - 1)
        {
            x = x.index_select(0, batch.Places_NR);
            normed = normed.index_select(0, batch.Places_NR);
            (cos, sin, visible) = AtPlaces(batch, cos, sin, visible);
        }
        var queries = _layer.Queries(w, normed, batch.Rows, cos, sin, adapters);
        return _layer.Output(w, x, _layer.Attend(queries, keys, values, visible), dropout, adapters).MoveToOuterDisposeScope();
    }

    /// <summary>The last hidden states, after the final norm, from what the last layer gave: [U, d].</summary>
    internal Tensor Last(PolicyWeights weights, PackedBatch batch, Tensor x) => _layer.Norm(batch.Real_U is null ? x : x.index_select(0, batch.Real_U), weights.FinalNorm);

    /// <summary>What all layers share.</summary>
    internal ForwardFrame Frame(PolicyWeights weights, PackedBatch batch)
    {
        long N = batch.Rows, L = batch.Length;
        var (cos, sin) = Rotation(batch.Positions, N, L);
        var type = weights.Embedding.dtype;
        (cos, sin) = (cos.InType(type), sin.InType(type));
        // 0 and −∞ are the same in any type.
        var visible = (batch.Bias_N1LL ?? Causal(L, batch.Tokens.device)).InType(type);
        return new ForwardFrame(cos, sin, visible, config.Window is { } window && L > window ? Windowed(batch, visible, window) : visible);
    }

    /// <summary>log π of every response token, [T], from the hidden states of <see cref="Hidden(PolicyWeights, PackedBatch, double)"/>, and the logits it needed, [U, V], both in float32.</summary>
    public static (Tensor Logps_T, Tensor Logits_UV) TokenLogps(PolicyWeights weights, PackedBatch batch, Tensor hidden_Ud)
    {
        using var scope = NewDisposeScope();
        var logits_UV = linear(hidden_Ud, weights.Output).InFloat32();
        return (LogpsAt(logits_UV, batch.Place_T, batch.Token_T).MoveToOuterDisposeScope(), logits_UV.MoveToOuterDisposeScope());
    }

    /// <summary>log π of tokens, each at a place of these logits: [T].</summary>
    internal static Tensor LogpsAt(Tensor logits_UV, Tensor place_T, Tensor token_T)
    {
        using var scope = NewDisposeScope();
        var normaliser_U = logits_UV.logsumexp(1);
        var flat = place_T * logits_UV.shape[1] + token_T;
        return (logits_UV.view(-1).index_select(0, flat) - normaliser_U.index_select(0, place_T)).MoveToOuterDisposeScope();
    }

    /// <summary>log π(y|x) of every candidate, summed over its tokens: [C], in nats.</summary>
    public static Tensor CandidateLogps(PackedBatch batch, Tensor logps_T) =>
        batch.Candidate_T is null ? logps_T : zeros(batch.Candidates, dtype: logps_T.dtype, device: logps_T.device).index_add(0, batch.Candidate_T, logps_T, 1);

    /// <summary>log π(y|x) of every candidate with its graph, for training: [C], in nats.</summary>
    public Tensor Logps(PolicyWeights weights, PackedBatch batch, double dropout = 0)
    {
        using var scope = NewDisposeScope();
        var (logps_T, _) = TokenLogps(weights, batch, Hidden(weights, batch, dropout));
        return CandidateLogps(batch, logps_T).MoveToOuterDisposeScope();
    }

    public void Dispose() => _rotary.Dispose();

    // [N or 1, 1, L, head size / 2] each.
    private (Tensor Cos, Tensor Sin) Rotation(Tensor? positions, long rows, long length)
    {
        if (positions is null)
            return (_rotary.Cos.narrow(0, 0, length).view(1, 1, length, -1), _rotary.Sin.narrow(0, 0, length).view(1, 1, length, -1));
        return (_rotary.Cos.index_select(0, positions).view(rows, 1, length, -1), _rotary.Sin.index_select(0, positions).view(rows, 1, length, -1));
    }

    private static (Tensor Cos, Tensor Sin, Tensor Bias) AtPlaces(PackedBatch batch, Tensor cos, Tensor sin, Tensor bias)
    {
        long N = batch.Rows, L = batch.Length, R = batch.PlacesPerRow;
        return (Pick(cos, N), Pick(sin, N), Pick(bias, N));

        // Each is per row, or the same for all rows.
        Tensor Pick(Tensor perPlace, long rows)
        {
            var width = perPlace.shape[^1];
            var index = perPlace.shape[0] == 1 ? batch.Places_NR.remainder(L) : batch.Places_NR;
            return perPlace.reshape(-1, width).index_select(0, index).view(rows, 1, R, width);
        }
    }

    // What a window leaves of what is visible. It counts positions: a response stands right behind its prompt, wherever it is in the pack.
    private static Tensor Windowed(PackedBatch batch, Tensor bias, int window)
    {
        var positions = batch.Positions?.view(batch.Rows, 1, batch.Length) ?? arange(batch.Length, dtype: ScalarType.Int64, device: bias.device).view(1, 1, batch.Length);
        var distance = positions.unsqueeze(-1) - positions.unsqueeze(-2);
        return bias.masked_fill(distance.ge(window), float.NegativeInfinity);
    }

    private static Tensor Causal(long length, Device device) => full([length, length], float.NegativeInfinity, device: device).triu(1).view(1, 1, length, length);
}

/// <summary>What all layers of a forward share.</summary>
/// <param name="Cos">[N or 1, 1, L, head size / 2], in the compute type</param>
/// <param name="Sin">likewise</param>
/// <param name="Visible">[N or 1, 1, L, L]: 0 where a place (third) sees another (fourth), −∞ where not; in the compute type</param>
/// <param name="InWindow">the same in layers with a window</param>
internal sealed record ForwardFrame(Tensor Cos, Tensor Sin, Tensor Visible, Tensor InWindow);
