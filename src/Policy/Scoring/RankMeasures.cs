using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Scoring;

/// <summary>How well log-probabilities rank the chosen candidate, which is the first.</summary>
public static class RankMeasures
{
    /// <summary>Rank, margin and accuracy of one pool; ties count against the policy.</summary>
    /// <param name="logps">the chosen one's first, then at least one rejected</param>
    public static RecordMeasures Of(ReadOnlySpan<float> logps)
    {
        var (chosen, best, notBelow) = (logps[0], float.NegativeInfinity, 0);
        foreach (var rejected in logps[1..])
        {
            best = Math.Max(best, rejected);
            // Written so that NaN counts against the policy too.
            if (!(rejected < chosen))
                notBelow++;
        }
        return new RecordMeasures(1 + notBelow, (double)chosen - best, 1 - (double)notBelow / (logps.Length - 1));
    }
}
