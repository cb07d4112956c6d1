using System.Globalization;
using MathNet.Numerics.Distributions;

namespace MassDpo.Answers.Bench;

/// <summary>Compares policies with their start, record by record.</summary>
internal static class AnswerTable
{
    /// <exception cref="InvalidDataException">the files do not hold the same records</exception>
    public static void Print(IReadOnlyList<ScoredRecord> before, IReadOnlyList<(string Name, IReadOnlyList<ScoredRecord> Records)> after, TextWriter output)
    {
        // A chance each of being first, where a record's candidates are as good as each other.
        var chance = before.Average(record => 1.0 / record.Logps.Length);
        output.WriteLine(Invariant($"{before.Count} records; chance {Percent(chance)}."));
        output.WriteLine();
        output.WriteLine("| | HR@1 % | right now, wrong before | wrong now, right before | p | HR@1 per token % | now | before | p | reward HR@1 % | p |");
        output.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        output.WriteLine(Invariant($"| start | {Percent(before.Average(One(record => record.IsFirst)))} | | | | {Percent(before.Average(One(record => record.IsFirstPerToken)))} | | | | | |"));
        foreach (var (name, records) in after)
        {
            if (!records.Select(record => (record.Id, record.Logps.Length)).SequenceEqual(before.Select(record => (record.Id, record.Logps.Length))))
                throw new InvalidDataException($"{name} and the start were not scored on the same records");
            var rewarded = records.Zip(before, (record, reference) => record.GainedMost(reference)).Count(gained => gained);
            output.WriteLine(Invariant($"| {name} | {Paired(record => record.IsFirst)} | {Paired(record => record.IsFirstPerToken)} | ")
                + Invariant($"{Percent((double)rewarded / records.Count)} | {P(AtLeast(rewarded, records.Count, chance))} |"));

            string Paired(Func<ScoredRecord, bool> isRight)
            {
                var pairs = records.Zip(before, (now, then) => (Now: isRight(now), Then: isRight(then))).ToList();
                var (won, lost) = (pairs.Count(pair => pair is { Now: true, Then: false }), pairs.Count(pair => pair is { Now: false, Then: true }));
                return Invariant($"{Percent(pairs.Average(pair => pair.Now ? 1.0 : 0.0))} | {won} | {lost} | {P(McNemar(won, lost))}");
            }
        }
    }

    // Two-sided and exact: of the records that changed, each went either way with one half.
    private static double McNemar(int won, int lost) =>
        won == lost ? 1 : Math.Min(1, 2 * AtLeast(Math.Max(won, lost), won + lost, 0.5));

    // P(X ≥ count), summed from the tail, so that no small probability is lost beside 1.
    private static double AtLeast(int count, int trials, double probability) =>
        Enumerable.Range(count, trials - count + 1).Sum(k => Binomial.PMF(probability, trials, k));

    private static Func<ScoredRecord, double> One(Func<ScoredRecord, bool> isRight) => record => isRight(record) ? 1 : 0;

    private static string Percent(double share) => Invariant($"{100 * share:F1}");

    private static string P(double p) => p < 1e-4 ? Invariant($"{p:0e-0}") : Invariant($"{p:F4}");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
