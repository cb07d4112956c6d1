using MathNet.Numerics.Distributions;

namespace MassDpo.App.Comparison;

/// <summary>Student's t-test on pairs.</summary>
/// <param name="Difference">mean of the differences</param>
/// <param name="P">two-sided; null with fewer than two pairs</param>
internal readonly record struct PairedTest(double Difference, double? P)
{
    /// <param name="values">one per pair</param>
    /// <param name="baseline">as many, in the same order</param>
    public static PairedTest Of(IReadOnlyList<double> values, IReadOnlyList<double> baseline)
    {
        var differences = values.Zip(baseline, (value, other) => value - other).ToList();
        var (mean, deviation) = Statistics.Of(differences);
        if (deviation is not { } sd)
            return new PairedTest(mean, null);
        if (sd == 0)
            return new PairedTest(mean, mean == 0 ? 1 : 0);
        var t = Math.Abs(mean) / (sd / Math.Sqrt(differences.Count));
        return new PairedTest(mean, 2 * (1 - StudentT.CDF(0, 1, differences.Count - 1, t)));
    }
}

/// <summary>Mean and standard deviation of a sample.</summary>
/// <param name="Mean">of all</param>
/// <param name="Deviation">with n − 1; null for one value</param>
internal readonly record struct Statistics(double Mean, double? Deviation)
{
    public static Statistics Of(IReadOnlyCollection<double> values)
    {
        var mean = values.Average();
        return new Statistics(mean, values.Count < 2 ? null : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1)));
    }
}
