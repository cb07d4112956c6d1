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

    /// <summary>
    /// Makes every feature unit length: g_ij/√(g_ii g_jj). A feature that is 0, or whose square vanishes, becomes 0.
    /// </summary>
    /// <param name="gram">candidates × candidates, changed in place</param>
    /// <param name="candidates">at least 1</param>
    public static void Normalise(Span<double> gram, int candidates)
    {
        for (var i = 0; i < candidates; i++)
            for (var j = 0; j < i; j++)
            {
                // Rounding may leave a square below 0; NaN stays NaN, for the kernels to refuse.
                var scale = Math.Sqrt(Math.Max(gram[i * candidates + i], 0)) * Math.Sqrt(Math.Max(gram[j * candidates + j], 0));
                gram[i * candidates + j] = gram[j * candidates + i] = scale == 0 ? 0 : gram[i * candidates + j] / scale;
            }

        for (var i = 0; i < candidates; i++)
        {
            ref var norm = ref gram[i * candidates + i];
            norm = norm > 0 ? 1 : norm <= 0 ? 0 : norm;
        }
    }
}
