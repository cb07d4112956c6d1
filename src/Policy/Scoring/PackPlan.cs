using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// Which packs are computed together: as many as a budget of places allows, of like lengths, so that little is filled up. A pure function of the packs and the
/// budget.
/// </summary>
internal static class PackPlan
{
    /// <summary>Places that a pool takes as one pack.</summary>
    public static int LengthOf(EncodedPool pool) => pool.Prompt.Length + OwnLength(pool, 0, pool.Candidates);

    /// <summary>
    /// A pool as packs that each fit a budget, with the same prompt and some of the candidates each, in their order. It depends on the pool and the budget alone.
    /// A candidate that does not fit with its prompt has a pack of its own.
    /// </summary>
    public static IReadOnlyList<EncodedPool> Split(EncodedPool pool, int budget)
    {
        if (LengthOf(pool) <= budget)
            return [pool];
        var parts = new List<EncodedPool>();
        var first = 0;
        var length = pool.Prompt.Length;
        for (var candidate = 0; candidate < pool.Candidates; candidate++)
        {
            var own = pool.Responses[candidate].Length - 1;
            if (candidate > first && length + own > budget)
            {
                parts.Add(new EncodedPool(pool.Prompt, pool.Responses[first..candidate]));
                (first, length) = (candidate, pool.Prompt.Length);
            }
            length += own;
        }
        parts.Add(new EncodedPool(pool.Prompt, pool.Responses[first..]));
        return parts;
    }

    /// <summary>Packs in groups that each fit a budget, filled up to the longest; indices, in order within a group.</summary>
    public static IReadOnlyList<int[]> Groups(IReadOnlyList<EncodedPool> packs, int budget) => Groups([.. packs.Select(LengthOf)], budget);

    /// <summary>The same of rows that have so many places each.</summary>
    public static IReadOnlyList<int[]> Groups(int[] lengths, int budget)
    {
        var groups = new List<int[]>();
        var group = new List<int>();
        foreach (var pack in Enumerable.Range(0, lengths.Length).OrderByDescending(pack => lengths[pack]))
        {
            // The first is the longest.
            if (group.Count > 0 && (long)(group.Count + 1) * lengths[group[0]] > budget)
                Close();
            group.Add(pack);
        }
        if (group.Count > 0)
            Close();
        return groups;

        void Close()
        {
            groups.Add([.. group.Order()]);
            group.Clear();
        }
    }

    private static int OwnLength(EncodedPool pool, int from, int to)
    {
        var length = 0;
        for (var candidate = from; candidate < to; candidate++)
            length += pool.Responses[candidate].Length - 1;
        return length;
    }
}
