namespace MassDpo.Selection.Kernels;

/// <summary>From inner products of candidates' features to those of their differences to the preferred one's.</summary>
public static class DifferenceGram
{
    /// <summary>⟨u_i, u_j⟩ = g_ij + g_ww − g_iw − g_jw, u_j = φ_j − φ_w, symmetric to the last bit where g is.</summary>
    /// <param name="gram">(n+1)×(n+1), row by row: g_ij = ⟨φ_i, φ_j⟩; index 0 is the preferred response w</param>
    /// <param name="candidates">n + 1, at least 1</param>
    /// <param name="differences">n×n, written</param>
    /// <exception cref="ArgumentException">the lengths do not agree</exception>
    public static void Of(ReadOnlySpan<double> gram, int candidates, Span<double> differences)
    {
        var n = candidates - 1;
        if ((long)candidates * candidates != gram.Length || (long)n * n != differences.Length)
            throw new ArgumentException($"{candidates} candidates do not have {gram.Length} inner products and {differences.Length} of differences.",
                nameof(gram));
        for (var i = 1; i <= n; i++)
            for (var j = 1; j <= n; j++)
                differences[(i - 1) * n + j - 1] = gram[i * candidates + j] + gram[0] - (gram[i] + gram[j]);
    }
}
