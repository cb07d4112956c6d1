using MassDpo.Policy.Devices;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Model;

/// <summary>
/// Grouped-query attention, of as many places at a time as a bound on scores allows.
/// <para>Legend of shapes: N rows, L places of a row, K columns that may be seen, H heads, G key/value heads, s head size; n and l some of N and L.</para>
/// </summary>
/// <param name="config">of the policy</param>
/// <param name="mostScores">that are held at a time: heads times places times columns</param>
internal sealed class Attention(PolicyConfig config, long mostScores)
{
    /// <summary>How the attention of queries, [N, H, L, s], over K columns is computed.</summary>
    public IReadOnlyList<AttentionPart> Parts(long rows, long places, long columns) => AttentionPart.Of(rows, config.Heads, places, columns, mostScores);

    /// <summary>softmax(q·kᵀ/√s + bias)·v, [N, H, L, s], part by part: exact, as a place's attention depends on no other place's.</summary>
    /// <param name="queries_NHLs">see above</param>
    /// <param name="keys_NGKs">see above</param>
    /// <param name="values_NGKs">see above</param>
    /// <param name="mask">which columns a place sees</param>
    public Tensor Of(Tensor queries_NHLs, Tensor keys_NGKs, Tensor values_NGKs, AttentionMask mask)
    {
        var parts = Parts(queries_NHLs.shape[0], queries_NHLs.shape[2], keys_NGKs.shape[2]);
        if (parts.Count == 1)
            return Of(queries_NHLs, keys_NGKs, values_NGKs, mask.Bias(parts[0]));
        using var scope = NewDisposeScope();
        var ofRows = parts.GroupBy(part => part.Row).Select(row =>
        {
            Tensor[] ofPlaces = [.. row.Select(part => Of(queries_NHLs, keys_NGKs, values_NGKs, mask, part))];
            return ofPlaces.Length == 1 ? ofPlaces[0] : cat(ofPlaces, 2);
        }).ToArray();
        return (ofRows.Length == 1 ? ofRows[0] : cat(ofRows, 0)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The gradients of <see cref="Of(Tensor, Tensor, Tensor, AttentionMask)"/> with respect to queries, keys and values, from that of what it gives: each part is
    /// computed again, so that the probabilities of one alone are held.
    /// </summary>
    public (Tensor Queries_NHLs, Tensor Keys_NGKs, Tensor Values_NGKs) Backward(Tensor queries_NHLs, Tensor keys_NGKs, Tensor values_NGKs, AttentionMask mask, Tensor gradient_NHLs)
    {
        using var scope = NewDisposeScope();
        var (queries, keys, values) = (empty_like(queries_NHLs), empty_like(keys_NGKs), empty_like(values_NGKs));
        foreach (var row in Parts(queries_NHLs.shape[0], queries_NHLs.shape[2], keys_NGKs.shape[2]).GroupBy(part => (part.Row, part.Rows)))
        {
            using var ofRow = NewDisposeScope();
            var (keys_nGKs, values_nGKs) = (Leaf(OfRow(keys_NGKs)), Leaf(OfRow(values_NGKs)));
            foreach (var part in row)
            {
                using var ofPart = NewDisposeScope();
                var queries_nHls = Leaf(OfRow(queries_NHLs).narrow(2, part.Place, part.Places));
                Of(queries_nHls, keys_nGKs, values_nGKs, mask.Bias(part)).backward([OfRow(gradient_NHLs).narrow(2, part.Place, part.Places)]);
                OfRow(queries).narrow(2, part.Place, part.Places).copy_(queries_nHls.grad!);
            }
            OfRow(keys).copy_(keys_nGKs.grad!);
            OfRow(values).copy_(values_nGKs.grad!);

            Tensor OfRow(Tensor all) => all.narrow(0, row.Key.Row, row.Key.Rows);
        }
        return (queries.MoveToOuterDisposeScope(), keys.MoveToOuterDisposeScope(), values.MoveToOuterDisposeScope());

        static Tensor Leaf(Tensor of) => of.detach().requires_grad_();
    }

    /// <summary>
    /// <see cref="Of(Tensor, Tensor, Tensor, AttentionMask)"/> for one place of each row, [N, H, 1, s]. Query heads that share a key/value head are then its places,
    /// so that keys and values are read as they lie, once.
    /// </summary>
    public Tensor Once(Tensor queries_NH1s, Tensor keys_NGKs, Tensor values_NGKs, AttentionMask mask) =>
        Of(queries_NH1s.view(queries_NH1s.shape[0], keys_NGKs.shape[1], -1, config.HeadSize), keys_NGKs, values_NGKs, mask.Bias(new AttentionPart(0, queries_NH1s.shape[0], 0, 1)))
            .view(queries_NH1s.shape);

    private Tensor Of(Tensor queries_NHLs, Tensor keys_NGKs, Tensor values_NGKs, AttentionMask mask, AttentionPart part)
    {
        using var scope = NewDisposeScope();
        var queries_nHls = queries_NHLs.narrow(0, part.Row, part.Rows).narrow(2, part.Place, part.Places);
        return Of(queries_nHls, keys_NGKs.narrow(0, part.Row, part.Rows), values_NGKs.narrow(0, part.Row, part.Rows), mask.Bias(part)).MoveToOuterDisposeScope();
    }

    private Tensor Of(Tensor queries_NHLs, Tensor keys_NGKs, Tensor values_NGKs, Tensor bias) => FusedAttention.Takes(queries_NHLs)
        ? FusedAttention.Of(queries_NHLs, keys_NGKs, values_NGKs, bias.InType(queries_NHLs.dtype))
        : Plain(queries_NHLs, keys_NGKs, values_NGKs, bias);

    /// <summary>softmax(q·kᵀ/√s + bias)·v, [N, H, L, s], in tensor operations. Where several query heads share a key/value head they are its rows.</summary>
    /// <param name="queries_NHLs">see above</param>
    /// <param name="keys_NGKs">see above</param>
    /// <param name="values_NGKs">see above</param>
    /// <param name="bias">[N or 1, 1, L, K] in float32</param>
    internal Tensor Plain(Tensor queries_NHLs, Tensor keys_NGKs, Tensor values_NGKs, Tensor bias)
    {
        var (rows, heads, places, size) = (queries_NHLs.shape[0], queries_NHLs.shape[1], queries_NHLs.shape[2], queries_NHLs.shape[3]);
        if (heads == keys_NGKs.shape[1])
            return Shares(queries_NHLs, keys_NGKs, bias).matmul(values_NGKs);
        var grouped = queries_NHLs.view(rows, keys_NGKs.shape[1], -1, places, size);
        return Shares(grouped, keys_NGKs.unsqueeze(2), bias.unsqueeze(1)).matmul(values_NGKs.unsqueeze(2)).view(rows, heads, places, size);
    }

    // softmax(q·kᵀ/√s + bias), in float32. Queries that are scaled first save a pass over the scores, but round once more: in bfloat16 scores are scaled.
    private Tensor Shares(Tensor queries, Tensor keys, Tensor bias)
    {
        var scale = 1 / Math.Sqrt(config.HeadSize);
        return queries.dtype == ScalarType.Float32
            ? softmax(matmul(queries * scale, keys.transpose(-1, -2)).add_(bias), -1)
            : softmax(matmul(queries, keys.transpose(-1, -2)).InFloat32().mul(scale).add_(bias), -1).InType(queries.dtype);
    }
}
