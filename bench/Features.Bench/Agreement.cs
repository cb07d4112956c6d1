namespace MassDpo.Features.Bench;

/// <summary>
/// How well one kind of features agrees with the true gradients, over pools: of u_j = φ_j − φ_w, correlations within a pool of the cosines of all
/// pairs and of the lengths, then the mean over pools; and Jaccard's index of the picks.
/// </summary>
internal sealed class Agreement
{
    private readonly List<double> _cosines = [], _lengths = [], _jaccards = [];

    /// <summary>Adds one pool.</summary>
    /// <param name="truth">[n × n] inner products of the true u</param>
    /// <param name="features">the same of the features' u</param>
    /// <param name="truePicks">of <c>mass</c> on the truth</param>
    /// <param name="picks">of <c>mass</c> on the features</param>
    public void Add(double[] truth, double[] features, int[] truePicks, int[] picks)
    {
        AddIfDefined(_cosines, Correlation(Cosines(truth), Cosines(features)));
        AddIfDefined(_lengths, Correlation(Lengths(truth), Lengths(features)));
        _jaccards.Add(Jaccard(truePicks, picks));
    }

    /// <summary>Adds picks that come from no features.</summary>
    public void Add(int[] truePicks, int[] picks) => _jaccards.Add(Jaccard(truePicks, picks));

    /// <summary>Means over pools; NaN where nothing was defined.</summary>
    public (double Cosines, double Lengths, double Jaccard) Means => (Mean(_cosines), Mean(_lengths), Mean(_jaccards));

    /// <summary>Jaccard's index of two choices.</summary>
    public static double Jaccard(int[] a, int[] b) => (double)a.Intersect(b).Count() / a.Union(b).Count();

    private static double Mean(List<double> values) => values.Count == 0 ? double.NaN : values.Average();

    private static void AddIfDefined(List<double> values, double value)
    {
        if (double.IsFinite(value))
            values.Add(value);
    }

    private static double[] Lengths(double[] gram)
    {
        var n = (int)Math.Sqrt(gram.Length);
        return [.. Enumerable.Range(0, n).Select(j => Math.Sqrt(Math.Max(gram[j * n + j], 0)))];
    }

    private static double[] Cosines(double[] gram)
    {
        var lengths = Lengths(gram);
        var n = lengths.Length;
        return [.. from i in Enumerable.Range(0, n)
                   from j in Enumerable.Range(0, i)
                   select gram[i * n + j] / (lengths[i] * lengths[j])];
    }

    // Pearson's.
    private static double Correlation(double[] a, double[] b)
    {
        var (meanA, meanB) = (a.Average(), b.Average());
        var (ab, aa, bb) = (0.0, 0.0, 0.0);
        for (var i = 0; i < a.Length; i++)
        {
            var (x, y) = (a[i] - meanA, b[i] - meanB);
            (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
        }
        return ab / Math.Sqrt(aa * bb);
    }
}
