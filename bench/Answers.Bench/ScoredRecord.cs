using System.Text.Json;

namespace MassDpo.Answers.Bench;

/// <summary>A line of what <c>massdpo score</c> prints; the chosen candidate is the first.</summary>
/// <param name="Id">of the record</param>
/// <param name="Logps">log π(y|x) of each candidate, in nats</param>
/// <param name="Tokens">of each candidate</param>
internal sealed record ScoredRecord(string Id, double[] Logps, double[] Tokens)
{
    public static IReadOnlyList<ScoredRecord> ReadAll(string file) => [.. File.ReadLines(file).Select(Read)];

    /// <summary>Whether the chosen candidate has the highest log-probability; ties count against the policy.</summary>
    public bool IsFirst => Beats(Logps);

    /// <summary>The same per token.</summary>
    public bool IsFirstPerToken => Beats([.. Logps.Zip(Tokens, (logp, tokens) => logp / tokens)]);

    /// <summary>Whether the chosen candidate gained most against a reference: whether its reward β(log π − log π_ref) is the highest, for any β.</summary>
    public bool GainedMost(ScoredRecord reference) => Beats([.. Logps.Zip(reference.Logps, (logp, before) => logp - before)]);

    private static bool Beats(double[] scores) => scores.Skip(1).All(score => scores[0] > score);

    private static ScoredRecord Read(string line)
    {
        using var json = JsonDocument.Parse(line);
        return new ScoredRecord(json.RootElement.GetProperty("id").GetString()!, Numbers("logps"), Numbers("tokens"));

        double[] Numbers(string name) => [.. json.RootElement.GetProperty(name).EnumerateArray().Select(number => number.GetDouble())];
    }
}
