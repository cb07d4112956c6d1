using MassDpo.Selection.Kernels;
using MassDpo.Shared.Numerics;

namespace MassDpo.Selection.Tests.Kernels;

/// <summary>
/// Pools that are hard on a kernel, by number: the same everywhere and without a test framework, so that bench/Selection.Bench runs the same ones.
/// One in four is given by inner products.
/// </summary>
public sealed class HardPools
{
    private static readonly string[] Kinds =
        ["near-singular", "identical", "huge numbers", "tiny numbers", "many candidates", "one or two candidates"];

    private readonly Workspace _workspace = new();
    private double[] _z = [];
    private double[] _numbers = [];
    private KernelOptions _options = new() { Negatives = 1, Beta = 1 };

    /// <summary>How many pools were checked, by kind.</summary>
    public SortedDictionary<string, int> Checked { get; } = new(StringComparer.Ordinal);

    /// <summary>How many had few enough candidates for an exhaustive search.</summary>
    public int Exhausted { get; private set; }

    /// <summary>The largest difference of a gain to the reference's, relative to what rounding allows.</summary>
    public double WorstGain { get; private set; }

    /// <summary>The largest amount by which a gain of mass exceeded the one before it, in nats.</summary>
    public double WorstIncrease { get; private set; }

    /// <summary>The least share of the best subset's objective that mass reached.</summary>
    public double WorstShare { get; private set; } = 1;

    /// <summary>The least distance of the bound above the best subset's objective, in nats.</summary>
    public double WorstBound { get; private set; } = double.PositiveInfinity;

    /// <summary>Bytes that the selections allocated once their memory had grown.</summary>
    public long Allocated { get; private set; }

    /// <summary>Checks one pool: fast against reference, gains, certificate against the exhaustive optimum, finiteness, allocations.</summary>
    /// <returns>what is wrong; null if nothing is</returns>
    public string? Check(int number)
    {
        var random = new StableRandom(number, 0x4A8D);
        var kind = Kinds[number % Kinds.Length];
        var (z, u) = Make(kind, ref random);
        var asGram = random.Below(4) == 0;
        _options = new KernelOptions
        {
            Negatives = 1 + random.Below(4),
            Beta = Math.Pow(10, -2 + 3 * random.Unit()),
            Ridge = Math.Pow(10, -6 * random.Unit()),
        };
        var gram = u.Select(a => u.Select(b => a.Zip(b, (x, y) => x * y).Sum()).ToArray()).ToArray();
        (_z, _numbers) = (z, [.. (asGram ? gram : u).SelectMany(row => row)]);
        var wrong = Wrong(Objective.Mass, asGram, u, gram) ?? Wrong(Objective.Exact, asGram, u, gram) ?? WrongCertificate(asGram, u[0].Length);
        Checked[kind] = Checked.GetValueOrDefault(kind) + 1;
        return wrong is null ? null : $"pool {number} ({kind}, n={z.Length}, d={u[0].Length}, by inner products: {asGram}, {_options}): {wrong}";
    }

    private Pool PoolOf(bool asGram, int dimension) => asGram ? Pool.OfGram(_z, _numbers) : new Pool(_z, _numbers, dimension);

    private SelectionResult Select(Objective objective, bool asGram, int dimension) => objective == Objective.Mass
        ? Kernel.Mass(PoolOf(asGram, dimension), _options, _workspace)
        : Kernel.Exact(PoolOf(asGram, dimension), _options, _workspace);

    private string? Wrong(Objective objective, bool asGram, double[][] u, double[][] gram)
    {
        var d = u[0].Length;
        Select(objective, asGram, d);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var result = Select(objective, asGram, d);
        Allocated += GC.GetAllocatedBytesForCurrentThread() - before;
        var picks = result.Picks.ToArray();
        double?[] numbers =
            [.. picks.SelectMany(pick => new[] { pick.Gain, pick.RunnerUpGain }), result.Information, result.Bound, result.Ridge, result.Trace];
        if (numbers.Any(x => x is { } value && !double.IsFinite(value)))
            return $"{objective}: a number is not finite";
        var count = Math.Min(_options.Negatives, _z.Length);
        if (picks.Length != count || picks.Select(pick => pick.Index).Distinct().Count() != count)
            return $"{objective}: {picks.Length} picks, some of them twice";
        if (objective == Objective.Mass)
            for (var i = 1; i < count; i++)
                WorstIncrease = Math.Max(WorstIncrease, picks[i].Gain!.Value - picks[i - 1].Gain!.Value);
        // What has no information may have it for the reference, whose numbers reach further down.
        return result.NoInformation ? null : Differs(objective, asGram, u, gram, picks, result.Ridge!.Value);
    }

    private string? Differs(Objective objective, bool asGram, double[][] u, double[][] gram, Pick[] picks, double ridge)
    {
        var reference = asGram
            ? GreedyReference.GreedyOfGram(objective, _z, gram, _options)
            : GreedyReference.Greedy(objective, _z, u, _options);
        for (var i = 0; i < picks.Length; i++)
        {
            var (expected, actual) = (reference[i], picks[i]);
            int[] subset = [.. reference.Take(i + 1).Select(pick => pick.Index), actual.Index];
            var allowed = 1e-9 * Math.Max(1, expected.Gain!.Value) + Rounding(objective, asGram, gram, ridge, subset);
            var difference = Math.Abs(expected.Gain.Value - actual.Gain!.Value);
            WorstGain = Math.Max(WorstGain, difference / allowed);
            if (difference > allowed)
                return $"{objective} {i}: gain {actual.Gain:r} of {actual.Index}, not {expected.Gain:r} of {expected.Index}; allowed {allowed:g3}";
            // A tie within rounding may be broken either way; from there on the two have different subsets.
            if (actual.Index != expected.Index)
                break;
        }
        return null;
    }

    // Units in the last place of the largest entry of the matrix whose determinant it is. Of features mass needs none.
    private double Rounding(Objective objective, bool asGram, double[][] gram, double ridge, int[] subset)
    {
        if (objective == Objective.Mass && !asGram)
            return 0;
        var whole = objective == Objective.Mass ? Enumerable.Range(0, _z.Length) : subset;
        var total = 1 + whole.Distinct().Sum(j => Math.Exp(Math.Clamp(_z[j], -30, 30)));
        var largest = subset.Max(j => Math.Exp(Math.Clamp(_z[j], -30, 30)) * gram[j][j]) / total;
        return 16 * Math.Pow(2, -52) * _options.Beta * _options.Beta / ridge * (objective == Objective.Mass ? largest / total : largest);
    }

    private string? WrongCertificate(bool asGram, int dimension)
    {
        if (_z.Length > 12)
            return null;
        Exhausted++;
        var best = Kernel.Exhaustive(PoolOf(asGram, dimension), Objective.Mass, _options, _workspace).Information!.Value;
        var greedy = Kernel.Mass(PoolOf(asGram, dimension), _options, _workspace);
        var (information, bound) = (greedy.Information!.Value, greedy.Bound!.Value);
        WorstBound = Math.Min(WorstBound, bound - best);
        WorstShare = Math.Min(WorstShare, best > 1e-6 ? information / best : 1);
        return information >= (1 - 1 / Math.E) * best - 1e-9 ? null : $"mass has {information:r} of {best:r}";
    }

    private static (double[] Z, double[][] U) Make(string kind, ref StableRandom random)
    {
        var n = kind == "many candidates" ? 30 + random.Below(90) : kind == "one or two candidates" ? 1 + random.Below(2) : 2 + random.Below(11);
        var d = 1 + random.Below(12);
        var spread = 3 * random.Unit();
        var (z, u) = (new double[n], new double[n][]);
        for (var j = 0; j < n; j++)
        {
            z[j] = spread * random.Normal();
            u[j] = new double[d];
            foreach (ref var x in u[j].AsSpan())
                x = random.Normal();
        }
        var scale = 1.0;
        switch (kind)
        {
            case "near-singular":
                for (var j = 1; j < n; j++)
                {
                    var (from, distance) = (u[random.Below(j)], Math.Pow(10, -2 - random.Below(14)));
                    for (var i = 0; i < d; i++)
                        u[j][i] = from[i] + distance * u[j][i];
                }
                break;
            case "identical":
                for (var j = 1; j < n; j++)
                    (z[j], u[j]) = random.Below(8) == 0 ? (z[j], u[j]) : (z[0], [.. u[0]]);
                break;
            case "huge numbers":
                scale = Math.Pow(10, 12 + 90 * random.Unit());
                break;
            case "tiny numbers":
                scale = Math.Pow(10, -12 - 90 * random.Unit());
                break;
        }
        return (z, [.. u.Select(row => row.Select(x => x * scale).ToArray())]);
    }
}
