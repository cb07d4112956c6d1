namespace MassDpo.Policy.Scoring;

/// <summary>Divides features by their lengths. One that is 0 stays 0; one that is not finite stays that, for the kernels to refuse.</summary>
internal static class UnitLength
{
    /// <param name="features">rows of d numbers, changed in place</param>
    /// <param name="d">at least 1</param>
    public static void OfRows(float[] features, int d)
    {
        for (var from = 0; from < features.Length; from += d)
        {
            var feature = features.AsSpan(from, d);
            var square = 0.0;
            foreach (var x in feature)
                square += (double)x * x;
            if (square == 0)
                continue;
            var scale = 1 / Math.Sqrt(square);
            foreach (ref var x in feature)
                x = (float)(x * scale);
        }
    }

    /// <summary>g_ij/√(g_ii g_jj).</summary>
    /// <param name="gram">candidates × candidates inner products, changed in place</param>
    /// <param name="candidates">at least 1</param>
    public static void OfGram(double[] gram, int candidates)
    {
        var lengths = new double[candidates];
        // Rounding may leave a square below 0.
        for (var i = 0; i < candidates; i++)
            lengths[i] = Math.Sqrt(Math.Max(gram[i * candidates + i], 0));
        for (var i = 0; i < candidates; i++)
            for (var j = 0; j < candidates; j++)
            {
                var scale = lengths[i] * lengths[j];
                gram[i * candidates + j] = scale == 0 ? 0 : i == j && double.IsFinite(scale) ? 1 : gram[i * candidates + j] / scale;
            }
    }
}
