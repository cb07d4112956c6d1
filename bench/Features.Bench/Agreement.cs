using MassDpo.Selection.Kernels;

namespace MassDpo.Features.Bench;

/// <summary>
/// How well one kind of features agrees with the true gradients, over pools whose z are all 0: of u_j = φ_j − φ_w, correlations within a pool of the cosines of all
/// pairs, of the lengths, and of the ranks of what candidates gain; then the mean over pools. And of the picks, Jaccard's index, and the information that they have in
/// the true gradients, as a share of what the true picks have.
/// </summary>
internal sealed class Agreement(KernelOptions options, Workspace workspace)
{
    private readonly List<double> _cosines = [], _lengths = [], _gains = [], _jaccards = [], _information = [];

    /// <summary>Adds one pool.</summary>
    /// <param name="truth">[n × n] inner products of the true u</param>
    /// <param name="features">the same of the features' u</param>
    /// <param name="truePicks">of <c>mass</c> on the truth</param>
    /// <param name="picks">of <c>mass</c> on the features</param>
    public void Add(double[] truth, double[] features, int[] truePicks, int[] picks)
    {
        AddIfDefined(_cosines, Correlation(Cosines(truth), Cosines(features)));
        AddIfDefined(_lengths, Correlation(Lengths(truth), Lengths(features)));
        for (var step = 0; step < truePicks.Length; step++)
            AddIfDefined(_gains, Correlation(Ranks(AfterOneMore(truth, truePicks[..step])), Ranks(AfterOneMore(features, truePicks[..step]))));
        Add(truth, truePicks, picks);
    }

    /// <summary>Adds picks that come from no features.</summary>
    public void Add(double[] truth, int[] truePicks, int[] picks)
    {
        _jaccards.Add(Jaccard(truePicks, picks));
        AddIfDefined(_information, Information(Objective.Exact, truth, picks) / Information(Objective.Exact, truth, truePicks));
    }

    /// <summary>Means over pools, of gains over each step of the true picks too; NaN where nothing was defined.</summary>
    public (double Cosines, double Lengths, double Gains, double Jaccard, double Information) Means =>
        (Mean(_cosines), Mean(_lengths), Mean(_gains), Mean(_jaccards), Mean(_information));

    /// <summary>Jaccard's index of two choices.</summary>
    public static double Jaccard(int[] a, int[] b) => (double)a.Intersect(b).Count() / a.Union(b).Count();

    // What mass has with each candidate beside those picked: its order is that of their gains.
    private double[] AfterOneMore(double[] gram, int[] picked) =>
        [.. Enumerable.Range(0, (int)Math.Sqrt(gram.Length)).Except(picked).Select(j => Information(Objective.Mass, gram, [.. picked, j]))];

    private double Information(Objective objective, double[] gram, int[] subset) =>
        FisherInformation.Of(objective, Pool.OfGram(new double[(int)Math.Sqrt(gram.Length)], gram), subset, options, workspace);

    // From 1; those that are equal share the mean of theirs.
    private static double[] Ranks(double[] values) => [.. values.Select(value => values.Count(other => other < value) + (values.Count(other => other == value) + 1) / 2.0)];

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
