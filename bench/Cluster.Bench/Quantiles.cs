using static System.FormattableString;

namespace MassDpo.Cluster.Bench;

/// <summary>Of what was measured several times.</summary>
internal static class Quantiles
{
    /// <summary>The least value that so large a share of all does not exceed.</summary>
    public static double Quantile(this IReadOnlyCollection<double> values, double share) => values.Order().ElementAt((int)Math.Clamp(Math.Ceiling(share * values.Count) - 1, 0, values.Count - 1));

    public static double Median(this IReadOnlyCollection<double> values) => values.Quantile(0.5);

    /// <summary>The median, and from where to where.</summary>
    public static string Spread(this IReadOnlyCollection<double> values, string format) =>
        Invariant($"{values.Median().ToString(format, null)} ({values.Min().ToString(format, null)}–{values.Max().ToString(format, null)})");
}
