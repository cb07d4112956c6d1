using MassDpo.Shared.Numerics;

namespace MassDpo.Selection.Kernels;

/// <summary>
/// The ways to choose k negatives of a pool, one method each. All read a <see cref="Pool"/>, take their numbers from <see cref="KernelOptions"/>,
/// work in a <see cref="Workspace"/> of the calling thread without allocating, and give the same result type. A pool whose z or features are NaN or
/// infinite is refused with <see cref="RefusedPoolException"/> by those that read them. The same input gives the same result, bit for bit.
/// </summary>
public static partial class Kernel
{
    /// <summary>Every negative, in the pool's order, whatever k is.</summary>
    public static SelectionResult All(scoped Pool pool, Workspace workspace)
    {
        var picks = workspace.Picks(pool.Count);
        for (var j = 0; j < picks.Length; j++)
            picks[j] = new Pick(j);
        return new SelectionResult { Picks = picks };
    }

    /// <summary>The k largest z, largest first; ties go to the lowest index. Caps do not apply: they are for kernels that weigh candidates.</summary>
    public static SelectionResult Hardest(scoped Pool pool, KernelOptions options, Workspace workspace)
    {
        for (var j = 0; j < pool.Count; j++)
            Weighing.Finite(pool.Z[j], j);
        var picks = workspace.Picks(Math.Min(options.Negatives, pool.Count));
        var indices = workspace.TopIndices(picks.Length);
        Rank(pool.Z, indices, workspace.TopValues(picks.Length));
        for (var i = 0; i < picks.Length; i++)
            picks[i] = new Pick(indices[i]);
        return new SelectionResult { Picks = picks };
    }

    /// <summary>k distinct negatives, every ordered choice equally likely (the baseline of S-DPO, arXiv 2406.09215).</summary>
    /// <param name="random">advanced by the draws</param>
    public static SelectionResult Random(scoped Pool pool, KernelOptions options, Workspace workspace, scoped ref StableRandom random)
    {
        var order = workspace.Order(pool.Count);
        for (var j = 0; j < order.Length; j++)
            order[j] = j;
        var picks = workspace.Picks(Math.Min(options.Negatives, pool.Count));
        for (var i = 0; i < picks.Length; i++)
        {
            var drawn = i + random.Below(order.Length - i);
            (order[i], order[drawn]) = (order[drawn], order[i]);
            picks[i] = new Pick(order[i]);
        }

        return new SelectionResult { Picks = picks };
    }

    private static SelectionResult LowestIndices(Weighing weighing, KernelOptions options, Span<Pick> picks)
    {
        for (var i = 0; i < picks.Length; i++)
            picks[i] = new Pick(i, 0);
        return new SelectionResult
        {
            Picks = picks,
            Information = 0,
            Bound = 0,
            Ridge = options.AbsoluteRidge,
            Trace = weighing.Trace,
            NoInformation = true
        };
    }

    /// <summary>
    /// The largest values with their indices, largest first, ties by lowest index; −∞ marks what is out of the question.
    /// </summary>
    /// <returns>how many there are, at most the length of <paramref name="best"/></returns>
    private static int Rank(ReadOnlySpan<double> values, Span<int> indices, Span<double> best)
    {
        if (best.IsEmpty)
            return 0;
        var count = 0;
        var floor = double.NegativeInfinity;
        for (var j = 0; j < values.Length; j++)
        {
            var value = values[j];
            if (value <= floor)
                continue;
            var at = count < best.Length ? count++ : count - 1;
            for (; at > 0 && best[at - 1] < value; at--)
                (best[at], indices[at]) = (best[at - 1], indices[at - 1]);
            (best[at], indices[at]) = (value, j);
            if (count == best.Length)
                floor = best[^1];
        }

        return count;
    }
}
