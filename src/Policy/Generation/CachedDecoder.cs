using MassDpo.Policy.Model;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Generation;

/// <summary>
/// The forward of a policy over rows of tokens that grow: what was computed of earlier tokens is kept (keys and values) and not computed again. Gives the logits
/// of the next token alone, those of each row's last place. Without gradients. Not thread-safe; the weights stay the caller's.
/// <para>Legend of shapes: N rows, L places of a row, K columns that may be seen, d hidden size, V vocabulary.</para>
/// </summary>
internal sealed class CachedDecoder(LlamaModel model, PolicyWeights weights) : IDisposable
{
    private readonly KeyValueCache _cache = new(model.Config);
    private int[] _lengths = [];

    private PolicyConfig Config => model.Config;

    /// <summary>
    /// Adds tokens to each row, and gives the logits of what comes next: [N, V]. The first call makes the rows, which may differ in length; from then on each gets
    /// as many as the others. Rows are filled up at their end to the longest; what is written of that is never seen, and written over later.
    /// </summary>
    /// <param name="tokens">at least one for each row; with those before them no more than the policy's positions</param>
    public Tensor Advance(IReadOnlyList<int[]> tokens)
    {
        var length = tokens.Max(row => row.Length);
        if (_lengths.Length == 0)
            _lengths = new int[tokens.Count];
        else if (tokens.Count != _lengths.Length || tokens.Any(row => row.Length != length))
            throw new ArgumentException($"expected as many tokens for each of {_lengths.Length} rows", nameof(tokens));
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        long N = tokens.Count, L = length;
        var (ids, positions, last) = (new long[N * L], new long[N * L], new long[N]);
        for (var n = 0; n < N; n++)
        {
            last[n] = n * L + tokens[n].Length - 1;
            for (var i = 0; i < L; i++)
            {
                positions[n * L + i] = _lengths[n] + i;
                ids[n * L + i] = i < tokens[n].Length ? tokens[n][i] : 0;
            }
        }
        var columns = positions.Max() + 1;
        var whole = Frame(positions, N, columns);
        var x = weights.Embedding.index_select(0, Indices(ids));
        for (var layer = 0; layer < Config.Layers; layer++)
            x = Layer(layer, x, whole, positions, columns, layer == Config.Layers - 1 && L > 1 ? last : null);
        for (var n = 0; n < N; n++)
            _lengths[n] += tokens[n].Length;
        return linear(model.Parts.Norm(x, weights.FinalNorm), weights.Output).MoveToOuterDisposeScope();
    }

    /// <summary>Goes on with some rows alone, in the order given.</summary>
    public void Keep(IReadOnlyList<int> rows)
    {
        _lengths = [.. rows.Select(row => _lengths[row])];
        _cache.Keep([.. rows.Select(row => (long)row)]);
    }

    public void Dispose() => _cache.Dispose();

    // What the layer makes of x, [N·L, d]: the same, or with places (of N·L, one a row) what it makes of these, [N, d].
    private Tensor Layer(int layer, Tensor x, ForwardFrame frame, long[] positions, long columns, long[]? places)
    {
        using var scope = NewDisposeScope();
        var (w, N) = (weights.Layers[layer], _lengths.Length);
        var normed = model.Parts.Norm(x, w.AttentionNorm);
        var (newKeys, newValues) = model.Parts.KeysAndValues(w, normed, N, frame.Cos, frame.Sin, null);
        var (keys, values) = _cache.Extend(layer, newKeys, newValues, positions, columns);
        if (places is not null)
        {
            var index = Indices(places);
            (x, normed) = (x.index_select(0, index), normed.index_select(0, index));
            frame = Frame([.. places.Select(place => positions[place])], N, columns);
        }
        var queries = model.Parts.Queries(w, normed, N, frame.Cos, frame.Sin, null);
        var visible = Config.WindowOf(layer) is null ? frame.Visible : frame.InWindow;
        var attended = queries.shape[2] == 1 ? model.Parts.Attention.Once(queries, keys, values, visible) : model.Parts.Attention.Of(queries, keys, values, visible);
        return model.Parts.Output(w, x, attended, 0, null).MoveToOuterDisposeScope();
    }

    // A place sees the columns up to its own, in a window the last ones of them.
    private ForwardFrame Frame(long[] positions_NL, long rows, long columns)
    {
        var L = positions_NL.Length / rows;
        var positions = Indices(positions_NL);
        var visible = new AttentionMask(positions.view(rows, L), columns);
        var inWindow = Config.Window is { } window && columns > window ? visible with { Window = window } : visible;
        var frame = new ForwardFrame(Turned(model.Rotary.Cos), Turned(model.Rotary.Sin), visible, inWindow);
        return model.Parts.Attention.Parts(rows, L, columns).Count > 1 ? frame : frame.Kept();

        Tensor Turned(Tensor table) => table.index_select(0, positions).InType(weights.Embedding.dtype).view(rows, 1, L, -1);
    }

    private Tensor Indices(long[] values) => tensor(values, dtype: ScalarType.Int64, device: weights.Device);
}
