using static TorchSharp.torch;

namespace MassDpo.Policy.Generation;

/// <summary>
/// Keys and values of rows of tokens, layer by layer. A column is a position: what a row has written last at a position is what is there. Room grows as it is
/// needed, and what is not written yet is 0.
/// <para>Legend of shapes: N rows, L places of a row, K columns, G key/value heads, s head size.</para>
/// </summary>
internal sealed class KeyValueCache(PolicyConfig config) : IDisposable
{
    // Columns that are made room for at first.
    private const long Least = 32;

    // [N, G, room, s] for each layer.
    private readonly Tensor?[] _keys = new Tensor?[config.Layers];
    private readonly Tensor?[] _values = new Tensor?[config.Layers];

    /// <summary>Writes what a layer has at new places, and gives all that it has up to a column: [N, G, K, s] each, to be read and never kept.</summary>
    /// <param name="layer">see above</param>
    /// <param name="keys_NGLs">see above</param>
    /// <param name="values_NGLs">see above</param>
    /// <param name="position_NL">columns of the places, row-major</param>
    /// <param name="columns">K</param>
    public (Tensor Keys_NGKs, Tensor Values_NGKs) Extend(int layer, Tensor keys_NGLs, Tensor values_NGLs, IReadOnlyList<long> position_NL, long columns) =>
        (Extend(ref _keys[layer], keys_NGLs, position_NL, columns), Extend(ref _values[layer], values_NGLs, position_NL, columns));

    /// <summary>Keeps some rows alone, in the order given.</summary>
    public void Keep(long[] rows)
    {
        foreach (var ofLayers in new[] { _keys, _values })
            for (var layer = 0; layer < ofLayers.Length; layer++)
            {
                using var scope = NewDisposeScope();
                Replace(ref ofLayers[layer], ofLayers[layer]!.index_select(0, tensor(rows, dtype: ScalarType.Int64, device: ofLayers[layer]!.device)));
            }
    }

    public void Dispose()
    {
        foreach (var tensor in _keys.Concat(_values))
            tensor?.Dispose();
    }

    private Tensor Extend(ref Tensor? kept, Tensor now_NGLs, IReadOnlyList<long> position_NL, long columns)
    {
        var (rows, heads, places, size) = (now_NGLs.shape[0], now_NGLs.shape[1], now_NGLs.shape[2], now_NGLs.shape[3]);
        using (NewDisposeScope())
        {
            var room = kept?.shape[2] ?? 0;
            if (columns > room)
            {
                var more = zeros([rows, heads, Math.Min(config.MaxPositions, Math.Max(columns, Math.Max(Least, 2 * room))) - room, size], dtype: now_NGLs.dtype, device: now_NGLs.device);
                Replace(ref kept, kept is null ? more : cat([kept, more], 2));
                room = kept!.shape[2];
            }
            // Where each place of each row and head is among the rows of [N·G·room, s].
            var index = new long[rows * heads * places];
            for (long n = 0, i = 0; n < rows; n++)
                for (var g = 0L; g < heads; g++)
                    for (var place = 0L; place < places; place++)
                        index[i++] = (n * heads + g) * room + position_NL[(int)(n * places + place)];
            kept!.view(-1, size).index_copy_(0, tensor(index, dtype: ScalarType.Int64, device: kept.device), now_NGLs.reshape(-1, size));
        }
        return kept.narrow(2, 0, columns);
    }

    private static void Replace(ref Tensor? kept, Tensor by)
    {
        kept?.Dispose();
        kept = by.DetachFromDisposeScope();
    }
}
