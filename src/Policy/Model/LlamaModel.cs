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
/// <param name="config">of the policy</param>
/// <param name="device">where the weights lie that it is given; null: on the CPU</param>
/// <param name="mostScores">of attention that are held at a time, in float32: heads times places times places. Longer packs are computed in parts, exactly</param>
public sealed class LlamaModel(PolicyConfig config, Device? device = null, long mostScores = 1 << 24) : IDisposable
{
    private readonly RotaryTable _rotary = new(config, device);
    private readonly LlamaLayer _layer = new(config, mostScores);

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
        var frame = Frame(batch, weights.Embedding.dtype);
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
        var asked = Asked(weights, batch, frame, layer, x, adapters);
        var attended = _layer.Attention.Of(asked.Queries_NHMs, asked.Keys_NGLs, asked.Values_NGLs, asked.Mask);
        return _layer.Output(weights.Layers[layer], asked.X, attended, dropout, adapters).MoveToOuterDisposeScope();
    }

    /// <summary>What the attention of a layer is asked, from the layer's input as <see cref="Layer"/> takes it. The tensors are in the caller's scope.</summary>
    internal LayerQuestion Asked(PolicyWeights weights, PackedBatch batch, ForwardFrame frame, int layer, Tensor x, AdapterTap? adapters)
    {
        var w = weights.Layers[layer];
        var (cos, sin) = (frame.Cos, frame.Sin);
        var mask = config.WindowOf(layer) is null ? frame.Visible : frame.InWindow;
        var normed = _layer.Norm(x, w.AttentionNorm);
        var (keys, values) = _layer.KeysAndValues(w, normed, batch.Rows, cos, sin, adapters);
        var own = x;
        if (layer == config.Layers - 1)
        {
            own = x.index_select(0, batch.Places_NR);
            normed = normed.index_select(0, batch.Places_NR);
            (cos, sin) = AtPlaces(batch, cos, sin);
            mask = mask.At(batch.Places_NR, batch.Rows);
        }
        var queries = _layer.Queries(w, normed, batch.Rows, cos, sin, adapters);
        return new LayerQuestion(own, queries, keys, values, mask);
    }

    /// <summary>Whether a layer's attention is computed in several parts.</summary>
    internal bool IsInParts(PackedBatch batch, int layer) => _layer.Attention.Parts(batch.Rows, layer == config.Layers - 1 ? batch.PlacesPerRow : batch.Length, batch.Length).Count > 1;

    /// <summary>The last hidden states, after the final norm, from what the last layer gave: [U, d].</summary>
    internal Tensor Last(PolicyWeights weights, PackedBatch batch, Tensor x) => _layer.Norm(batch.Real_U is null ? x : x.index_select(0, batch.Real_U), weights.FinalNorm);

    /// <summary>What all layers share.</summary>
    /// <param name="batch">what is computed</param>
    /// <param name="type">the compute type</param>
    internal ForwardFrame Frame(PackedBatch batch, ScalarType type)
    {
        long N = batch.Rows, L = batch.Length;
        var (cos, sin) = Rotation(batch.Positions, N, L);
        (cos, sin) = (cos.InType(type), sin.InType(type));
        var visible = new AttentionMask(arange(L, dtype: ScalarType.Int64, device: batch.Tokens.device).view(1, L), L) { Segments = Both(batch.Segments) };
        // A window counts positions: a response stands right behind its prompt, wherever it is in the pack.
        var inWindow = config.Window is { } window && L > window ? visible with { Window = window, Positions = Both(batch.Positions) } : visible;
        var frame = new ForwardFrame(cos, sin, visible, inWindow);
        return _layer.Attention.Parts(N, L, L).Count > 1 ? frame : frame.Kept();

        (Tensor, Tensor)? Both(Tensor? perPlace) => perPlace?.view(N, L) is { } ofPlaces ? (ofPlaces, ofPlaces) : null;
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

    private static (Tensor Cos, Tensor Sin) AtPlaces(PackedBatch batch, Tensor cos, Tensor sin)
    {
        long N = batch.Rows, L = batch.Length, R = batch.PlacesPerRow;
        return (Pick(cos), Pick(sin));

        // Each is per row, or the same for all rows.
        Tensor Pick(Tensor perPlace)
        {
            var width = perPlace.shape[^1];
            var index = perPlace.shape[0] == 1 ? batch.Places_NR.remainder(L) : batch.Places_NR;
            return perPlace.reshape(-1, width).index_select(0, index).view(N, 1, R, width);
        }
    }
}

/// <summary>What all layers of a forward share.</summary>
/// <param name="Cos">[N or 1, 1, L, head size / 2], in the compute type</param>
/// <param name="Sin">likewise</param>
/// <param name="Visible">which places of a row see which</param>
/// <param name="InWindow">the same in layers with a window</param>
internal sealed record ForwardFrame(Tensor Cos, Tensor Sin, AttentionMask Visible, AttentionMask InWindow)
{
    /// <summary>The same, with the masks' biases computed once, for attention that is computed in one part.</summary>
    public ForwardFrame Kept()
    {
        var visible = Visible.Kept();
        return this with { Visible = visible, InWindow = ReferenceEquals(InWindow, Visible) ? visible : InWindow.Kept() };
    }

    /// <summary>All tensors that it holds; some may come twice.</summary>
    public IEnumerable<Tensor> Tensors => new[] { Cos, Sin }.Concat(Visible.Tensors).Concat(InWindow.Tensors);
}

/// <summary>What the attention of a layer is asked. M places of a row ask: all L, in the last layer the R that predict.</summary>
/// <param name="X">[N·M, d] the layer's input there, which what it computes is added to</param>
/// <param name="Queries_NHMs">turned to their positions</param>
/// <param name="Keys_NGLs">likewise</param>
/// <param name="Values_NGLs">what is gathered</param>
/// <param name="Mask">which places see which</param>
internal sealed record LayerQuestion(Tensor X, Tensor Queries_NHMs, Tensor Keys_NGLs, Tensor Values_NGLs, AttentionMask Mask);
