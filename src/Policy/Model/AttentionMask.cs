using static TorchSharp.torch;

namespace MassDpo.Policy.Model;

/// <summary>
/// Which columns the places of some rows see: those up to their own, of what all see and of their own segment, in a window the last ones of them. It is made as a
/// bias on attention's scores for as many places as are computed at a time: between long rows a whole one would take more than all else of a pack.
/// <para>Legend of shapes: N rows, L places of a row, K columns, n and l some of N and L.</para>
/// </summary>
/// <param name="Column_NL">[N, L], or [1, L] where all rows are alike: a place's own column</param>
/// <param name="Columns">K</param>
internal sealed record AttentionMask(Tensor Column_NL, long Columns)
{
    /// <summary>[N, L] of places and [N, K] of columns: a number each, where columns of 0 are seen from all segments, others from their own alone; null: one segment.</summary>
    public (Tensor Place_NL, Tensor Column_NK)? Segments { get; init; }

    /// <summary>[N, L] of places and [N, K] of columns, likewise: what a window counts; null: columns themselves.</summary>
    public (Tensor Place_NL, Tensor Column_NK)? Positions { get; init; }

    /// <summary>Positions that are seen, a place's own and those before it; null: all.</summary>
    public int? Window { get; init; }

    /// <summary>The bias of all places, where it is kept: see <see cref="Kept"/>.</summary>
    private Tensor? Whole { get; init; }

    /// <summary>The same, with the bias of all places computed once, for all layers.</summary>
    public AttentionMask Kept() =>
        this with { Whole = Bias(new AttentionPart(0, Tensors.Max(tensor => tensor.shape[0]), 0, Column_NL.shape[1])) };

    /// <summary>All tensors that it holds.</summary>
    public IEnumerable<Tensor> Tensors => new[] { Column_NL, Segments?.Place_NL, Segments?.Column_NK, Positions?.Place_NL, Positions?.Column_NK, Whole }.OfType<Tensor>();

    /// <summary>[n or 1, 1, l, K]: 0 where a place (third) sees a column (fourth), −∞ where not.</summary>
    public Tensor Bias(AttentionPart part)
    {
        if (Whole is not null)
            return Of(Whole, part, places: 2);
        using var scope = NewDisposeScope();
        var columns_K = arange(Columns, dtype: ScalarType.Int64, device: Column_NL.device);
        var own_nl1 = Of(Column_NL, part, places: 1).unsqueeze(-1);
        var hidden_nlK = columns_K.gt(own_nl1);
        if (Segments is { } segments)
        {
            var column_n1K = Of(segments.Column_NK, part).unsqueeze(1);
            hidden_nlK = hidden_nlK.logical_or(column_n1K.ne(0).logical_and(column_n1K.ne(Of(segments.Place_NL, part, places: 1).unsqueeze(-1))));
        }
        if (Window is { } window)
        {
            var column_n1K = Positions is { } positions ? Of(positions.Column_NK, part).unsqueeze(1) : columns_K;
            var place_nl1 = Positions is { } own ? Of(own.Place_NL, part, places: 1).unsqueeze(-1) : own_nl1;
            hidden_nlK = hidden_nlK.logical_or(column_n1K.le(place_nl1 - window));
        }
        return zeros(hidden_nlK.shape, dtype: ScalarType.Float32, device: Column_NL.device).masked_fill_(hidden_nlK, float.NegativeInfinity).unsqueeze(1).MoveToOuterDisposeScope();
    }

    /// <summary>That of some of the places, [N·R] of all, R of each row.</summary>
    public AttentionMask At(Tensor places_NR, long rows)
    {
        var index = Column_NL.shape[0] == 1 ? places_NR.remainder(Column_NL.shape[1]) : places_NR;
        return this with { Whole = null, Column_NL = Picked(Column_NL, index), Segments = Moved(Segments), Positions = Moved(Positions) };

        Tensor Picked(Tensor perPlace, Tensor at) => perPlace.reshape(-1).index_select(0, at).view(rows, -1);

        (Tensor, Tensor)? Moved((Tensor Place_NL, Tensor Column_NK)? pair) => pair is { } both ? (Picked(both.Place_NL, places_NR), both.Column_NK) : null;
    }

    // A part of what is told of rows, and of places in one dimension.
    private static Tensor Of(Tensor all, AttentionPart part, int? places = null)
    {
        if (all.shape[0] > 1 && part.Rows < all.shape[0])
            all = all.narrow(0, part.Row, part.Rows);
        return places is { } dimension && part.Places < all.shape[dimension] ? all.narrow(dimension, part.Place, part.Places) : all;
    }
}
