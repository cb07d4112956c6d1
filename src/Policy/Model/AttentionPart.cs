namespace MassDpo.Policy.Model;

/// <summary>Places whose attention is computed together: some rows whole, or some places of one row.</summary>
/// <param name="Row">the first</param>
/// <param name="Rows">how many</param>
/// <param name="Place">the first of each of them</param>
/// <param name="Places">how many</param>
internal readonly record struct AttentionPart(long Row, long Rows, long Place, long Places)
{
    /// <summary>
    /// All places of some rows in parts, in order, so that no more scores than a bound are held at a time; a place is never split. Whether rows are split, and
    /// where, is a function of their length alone, not of how many there are.
    /// </summary>
    /// <param name="rows">of the batch</param>
    /// <param name="heads">scores of a place for each column that it may see</param>
    /// <param name="places">of each row</param>
    /// <param name="columns">see above</param>
    /// <param name="mostScores">the bound</param>
    public static IReadOnlyList<AttentionPart> Of(long rows, long heads, long places, long columns, long mostScores)
    {
        var ofPlace = heads * columns;
        var (together, length) = ofPlace * places <= mostScores ? (mostScores / (ofPlace * places), places) : (1, Math.Max(1, mostScores / ofPlace));
        var parts = new List<AttentionPart>();
        for (var row = 0L; row < rows; row += together)
            for (var place = 0L; place < places; place += length)
                parts.Add(new AttentionPart(row, Math.Min(together, rows - row), place, Math.Min(length, places - place)));
        return parts;
    }
}
