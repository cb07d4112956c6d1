using MassDpo.Selection.Kernels;
using MassDpo.Shared.Numerics;

namespace MassDpo.Selection.Tests.Kernels;

public class KernelContractTests
{
    public enum Method
    {
        Mass,
        Exact,
        ExhaustiveMass,
        ExhaustiveExact,
        Hardest,
        Random,
        All
    }

    // Every selection draws from a copy.
    private static readonly StableRandom Seeded = new(99);

    private readonly Workspace _workspace = new();

    public static TheoryData<Method> Methods => new(Enum.GetValues<Method>());
    public static TheoryData<Method> MethodsOfFeatures => [Method.Mass, Method.Exact, Method.ExhaustiveMass, Method.ExhaustiveExact];

    [Theory]
    [MemberData(nameof(Methods))]
    public void AnEmptyPoolGivesNoPicks(Method method)
    {
        var result = Select(method, new Pool([]), Options(3));
        Assert.Equal(0, result.Picks.Length);
        Assert.Equal(0, result.Information ?? 0);
        Assert.Equal(0, result.Bound ?? 0);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void KOfZeroGivesNoPicks(Method method)
    {
        var (z, u) = Draw(n: 5, d: 3, seed: 1);
        var result = Select(method, new Pool(z, u, 3), Options(0));
        Assert.Equal(method == Method.All ? 5 : 0, result.Picks.Length);
        Assert.Equal(0, result.Information ?? 0);
        Assert.Equal(0, result.Bound ?? 0);
        Assert.False(result.NoInformation);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void MoreThanThePoolHasGivesThePool(Method method)
    {
        var (z, u) = Draw(n: 5, d: 3, seed: 2);
        var picks = Select(method, new Pool(z, u, 3), Options(9)).Picks.ToArray();
        Assert.Equal([0, 1, 2, 3, 4], picks.Select(pick => pick.Index).Order());
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void TheSameInputGivesTheSameBitsInWhateverWorkspace(Method method)
    {
        var (z, u) = Draw(n: 13, d: 7, seed: 3);
        var first = Select(method, new Pool(z, u, 7), Options(4));
        var (picks, information, bound) = (first.Picks.ToArray(), first.Information, first.Bound);
        var (bigZ, bigU) = Draw(n: 40, d: 30, seed: 4);
        Select(method, new Pool(bigZ, bigU, 30), Options(3));
        var again = Select(method, new Pool(z, u, 7), Options(4));
        Assert.Equal(picks, again.Picks.ToArray());
        Assert.Equal(information, again.Information);
        Assert.Equal(bound, again.Bound);
    }

    [Theory]
    [MemberData(nameof(MethodsOfFeatures))]
    public void FloatsGiveWhatTheSameNumbersInDoublesGive(Method method)
    {
        var (z, u) = Draw(n: 13, d: 11, seed: 5);
        var singles = Select(method, new Pool(z, u, 11), Options(4));
        var (picks, information) = (singles.Picks.ToArray(), singles.Information);
        var doubles = Select(method, new Pool(z, u.Select(x => (double)x).ToArray(), 11), Options(4));
        Assert.Equal(picks, doubles.Picks.ToArray());
        Assert.Equal(information, doubles.Information);
    }

    [Theory]
    [InlineData(Method.Mass)]
    [InlineData(Method.Exact)]
    [InlineData(Method.Hardest)]
    [InlineData(Method.Random)]
    [InlineData(Method.All)]
    public void NothingIsAllocatedOnceTheWorkspaceHasGrown(Method method)
    {
        var (z, u) = Draw(n: 50, d: 20, seed: 6);
        var options = Options(8);
        Select(method, new Pool(z, u, 20), options);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            Select(method, new Pool(z, u, 20), options);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void RecomputingCancelledCandidatesAllocatesNothing()
    {
        // Copies of one candidate under the smallest ridge.
        var (z, u) = (new double[30], new float[30 * 5]);
        u.AsSpan().Fill(1);
        var options = Options(8) with { Ridge = 1e-6 };
        Kernel.Mass(new Pool(z, u, 5), options, _workspace);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Kernel.Mass(new Pool(z, u, 5), options, _workspace);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(21)]
    public void CopiesTieBitForBitWhereverTheyStand(int d)
    {
        var (_, one) = Draw(n: 1, d, seed: 7);
        for (var n = 1; n <= 13; n++)
        {
            var u = Enumerable.Repeat(one, n).SelectMany(row => row).ToArray();
            Assert.Equal(Enumerable.Range(0, n), Indices(Kernel.Mass(new Pool(new double[n], u, d), Options(n), _workspace)));
            Assert.Equal(Enumerable.Range(0, n), Indices(Kernel.Exact(new Pool(new double[n], u, d), Options(n), _workspace)));
        }
    }

    [Theory]
    [MemberData(nameof(MethodsOfFeatures))]
    public void APoolWithoutInformationGivesTheLowestIndicesAndSaysSo(Method method)
    {
        // Zero features, and features whose squares vanish.
        foreach (var u in new[] { 0, 1e-200 })
        {
            var result = Select(method, new Pool([3, 2, 1, 0, -1], Enumerable.Repeat(u, 10).ToArray(), 2), Options(3));
            Assert.True(result.NoInformation);
            Assert.Equal([0, 1, 2], Indices(result));
            Assert.Equal(0, result.Information);
            Assert.Null(result.Ridge);
        }
    }

    [Theory]
    [MemberData(nameof(MethodsOfFeatures))]
    public void AFeatureThatIsNotFiniteIsRefusedWithItsCandidate(Method method)
    {
        foreach (var bad in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })
        {
            var (z, u) = Draw(n: 6, d: 3, seed: 8);
            u[3 * 4 + 1] = (float)bad;
            var doubles = u.Select(x => (double)x).ToArray();
            Assert.Equal(4, Assert.Throws<RefusedPoolException>(() => Select(method, new Pool(z, u, 3), Options(2))).Index);
            Assert.Equal(4, Assert.Throws<RefusedPoolException>(() => Select(method, new Pool(z, doubles, 3), Options(2))).Index);
        }
    }

    [Theory]
    [MemberData(nameof(MethodsOfFeatures))]
    [InlineData(Method.Hardest)]
    public void AZThatIsNotFiniteIsRefusedWithItsCandidate(Method method)
    {
        foreach (var bad in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })
        {
            var (z, u) = Draw(n: 6, d: 3, seed: 9);
            z[5] = bad;
            var refusal = Assert.Throws<RefusedPoolException>(() => Select(method, new Pool(z, u, 3), Options(2)));
            Assert.Equal(5, refusal.Index);
            Assert.Contains("Candidate 5", refusal.Message);
        }
    }

    [Fact]
    public void FeaturesTooLargeToSquareAreRefused() =>
        Assert.Equal(1, Assert.Throws<RefusedPoolException>(() => Kernel.Mass(new Pool([0, 0], [1, 1e200], 1), Options(1), _workspace)).Index);

    [Fact]
    public void TheLargestFloatsAreNotTooLarge()
    {
        var result = Kernel.Exact(new Pool([0, 30, -30], [float.MaxValue, float.MinValue, float.Epsilon], 1), Options(3), _workspace);
        Assert.True(double.IsFinite(result.Information!.Value));
        Assert.True(double.IsFinite(Kernel.Mass(new Pool([0, 30, -30], [float.MaxValue, 1, float.Epsilon], 1), Options(3), _workspace).Bound!.Value));
    }

    [Fact]
    public void AnAbsoluteRidgeBelowRoundingIsRefused()
    {
        var options = Options(1) with { AbsoluteRidge = 1e-20 };
        Assert.Null(Assert.Throws<RefusedPoolException>(() => Kernel.Mass(new Pool([0, 0], [1f, 2], 1), options, _workspace)).Index);
    }

    [Theory]
    [MemberData(nameof(MethodsOfFeatures))]
    public void APoolWithoutFeaturesIsAnErrorOfTheCaller(Method method) =>
        Assert.Equal("pool", Assert.Throws<ArgumentException>(() => Select(method, new Pool([0, 1]), Options(1))).ParamName);

    [Fact]
    public void FeaturesMustFitThePool()
    {
        Assert.Throws<ArgumentException>(() => new Pool([0, 1], [1f, 2, 3], 2).Count);
        Assert.Throws<ArgumentException>(() => new Pool([0, 1], [1d, 2, 3], 2).Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Pool([], [1f], 0).Count);
    }

    [Fact]
    public void EveryOptionRefusesWhatIsOutsideItsRangeByName()
    {
        AssertRefused(nameof(KernelOptions.Negatives), () => Options(-1));
        foreach (var bad in new[] { double.NaN, -1, 1e300 })
        {
            AssertRefused(nameof(KernelOptions.Beta), () => Options(1) with { Beta = bad });
            AssertRefused(nameof(KernelOptions.Ridge), () => Options(1) with { Ridge = bad });
            AssertRefused(nameof(KernelOptions.AbsoluteRidge), () => Options(1) with { AbsoluteRidge = bad });
            AssertRefused(nameof(KernelOptions.ProbabilityCap), () => Options(1) with { ProbabilityCap = bad });
        }

        foreach (var bad in new[] { double.NaN, -31, 31 })
            AssertRefused(nameof(KernelOptions.ZCap), () => Options(1) with { ZCap = bad });
        foreach (var bad in new[] { double.NaN, -1, double.PositiveInfinity })
            AssertRefused(nameof(KernelOptions.MinimumGain), () => Options(1) with { MinimumGain = bad });

        static void AssertRefused(string name, Func<KernelOptions> make) =>
            Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(make).ParamName);
    }

    [Fact]
    public void TouchedRowsAreThePicksAndForExactAllButTheLast()
    {
        var (z, u) = Draw(n: 9, d: 4, seed: 10);
        Assert.Equal(3, Kernel.Mass(new Pool(z, u, 4), Options(3), _workspace).TouchedRows);
        Assert.Equal(2, Kernel.Exact(new Pool(z, u, 4), Options(3), _workspace).TouchedRows);
    }

    [Fact]
    public void RidgeIsRhoTimesTheMeanOfTheDiagonal()
    {
        double[] z = [0, Math.Log(2)];
        float[] u = [3, 4, 0, 1];
        var options = Options(1) with { Beta = 2, Ridge = 0.5 };

        // 1 + Σe^z = 4: c = 4·(1/4)(1/4) and 4·(1/4)(2/4).
        var trace = 0.25 * 25 + 0.5 * 1;
        foreach (var method in new[] { Method.Mass, Method.Exact, Method.ExhaustiveMass })
        {
            var result = Select(method, new Pool(z, u, 2), options);
            Assert.Equal(trace, result.Trace!.Value, 1e-14);
            Assert.Equal(0.5 * trace / 2, result.Ridge!.Value, 1e-14);
        }
    }

    [Fact]
    public void GainsFarBelowOneKeepTheirOrderAndDigits()
    {
        // c = 1/9, so the gains are u²/9e15 up to their squares.
        var picks = Kernel.Mass(new Pool([0, 0], [1, 2d], 1), Options(2) with { AbsoluteRidge = 1e15 }, _workspace).Picks.ToArray();
        Assert.Equal([1, 0], picks.Select(pick => pick.Index));
        Assert.Equal(4 / 9e15, picks[0].Gain!.Value, 1e-27);
        Assert.Equal(1 / 9e15, picks[1].Gain!.Value, 1e-27);
    }

    [Fact]
    public void MinimumGainStopsAfterTheFirstPickAtTheEarliest()
    {
        var (z, u) = Draw(n: 12, d: 4, seed: 11);
        var all = Kernel.Mass(new Pool(z, u, 4), Options(12), _workspace).Picks.ToArray();
        for (var kept = 1; kept < all.Length; kept++)
        {
            var between = (all[kept - 1].Gain + all[kept].Gain) / 2;
            Assert.Equal(all[..kept], Kernel.Mass(new Pool(z, u, 4), Options(12) with { MinimumGain = between }, _workspace).Picks.ToArray());
        }

        Assert.Equal([all[0]], Kernel.Mass(new Pool(z, u, 4), Options(12) with { MinimumGain = 1e9 }, _workspace).Picks.ToArray());
    }

    [Fact]
    public void CapsTakeTheLeadFromASuspectedFalseNegative()
    {
        float[] u = [1, 0, 0, 1.5f, 0.1f, 1];
        double[] z = [3, 0.5, 0];
        Assert.Equal(0, Kernel.Mass(new Pool(z, u, 2), Options(1), _workspace).Picks[0].Index);
        Assert.Equal(1, Kernel.Mass(new Pool(z, u, 2), Options(1) with { ZCap = 0.5 }, _workspace).Picks[0].Index);
        Assert.Equal(1, Kernel.Mass(new Pool(z, u, 2), Options(1) with { ProbabilityCap = 0.05 }, _workspace).Picks[0].Index);
    }

    [Fact]
    public void HardestTakesTheLargestZAndTiesByLowestIndex()
    {
        Assert.Equal([3, 1, 4], Indices(Kernel.Hardest(new Pool([0, 2, -1, 50, 2, 40 - 38]), Options(3), _workspace)));
        Assert.Equal([1, 0], Indices(Kernel.Hardest(new Pool([40, 50]), Options(2), _workspace)));
    }

    [Theory]
    [MemberData(nameof(MethodsOfFeatures))]
    public void ZBeyond30CountsAs30(Method method)
    {
        var (_, u) = Draw(n: 5, d: 3, seed: 13);
        var beyond = Select(method, new Pool([1e4, -45, 31, -1e300, 0], u, 3), Options(4));
        var (picks, information) = (beyond.Picks.ToArray(), beyond.Information);
        var at = Select(method, new Pool([30, -30, 30, -30, 0], u, 3), Options(4));
        Assert.Equal(picks, at.Picks.ToArray());
        Assert.Equal(information, at.Information);
    }

    [Theory]
    [InlineData(Objective.Mass)]
    [InlineData(Objective.Exact)]
    public void ExhaustiveTakesTheFirstOfEqualSubsets(Objective objective)
    {
        var pool = new Pool([0, 0, 0, 0], [1f, 1, 1, 1], 1);
        Assert.Equal([0, 1], Indices(Kernel.Exhaustive(pool, objective, Options(2), _workspace)));
    }

    [Fact]
    public void AllKeepsThePoolsOrder() => Assert.Equal([0, 1, 2], Indices(Kernel.All(new Pool([0, 2, 1]), _workspace)));

    [Fact]
    public void RandomDrawsEveryOrderedPairEquallyOften()
    {
        var random = new StableRandom(12);
        var counts = new int[25];
        for (var i = 0; i < 20_000; i++)
        {
            var picks = Kernel.Random(new Pool(new double[5]), Options(2), _workspace, ref random).Picks;
            counts[picks[0].Index * 5 + picks[1].Index]++;
        }

        for (var pair = 0; pair < 25; pair++)
            if (pair / 5 == pair % 5)
                Assert.Equal(0, counts[pair]);
            else
                Assert.InRange(counts[pair], 1_000 - 5 * 31, 1_000 + 5 * 31);
    }

    [Fact]
    public void ExhaustiveRefusesMoreThanItIsFor()
    {
        Assert.Throws<RefusedPoolException>(() =>
            Kernel.Exhaustive(new Pool(new double[40], new float[40], 1), Objective.Mass, Options(5), _workspace).Ridge);
        Assert.Throws<RefusedPoolException>(() =>
            Kernel.Exhaustive(new Pool(new double[1_001], new float[1_001], 1), Objective.Mass, Options(1), _workspace).Ridge);
    }

    private static KernelOptions Options(int negatives) => new() { Negatives = negatives, Beta = 1 };

    private SelectionResult Select(Method method, Pool pool, KernelOptions options)
    {
        var random = Seeded;
        return method switch
        {
            Method.Mass => Kernel.Mass(pool, options, _workspace),
            Method.Exact => Kernel.Exact(pool, options, _workspace),
            Method.ExhaustiveMass => Kernel.Exhaustive(pool, Objective.Mass, options, _workspace),
            Method.ExhaustiveExact => Kernel.Exhaustive(pool, Objective.Exact, options, _workspace),
            Method.Hardest => Kernel.Hardest(pool, options, _workspace),
            Method.Random => Kernel.Random(pool, options, _workspace, ref random),
            _ => Kernel.All(pool, _workspace)
        };
    }

    private static int[] Indices(SelectionResult result) => [.. result.Picks.ToArray().Select(pick => pick.Index)];

    private static (double[] Z, float[] U) Draw(int n, int d, long seed)
    {
        var random = new StableRandom(seed);
        var (z, u) = (new double[n], new float[n * d]);
        foreach (ref var value in z.AsSpan())
            value = random.Normal();
        foreach (ref var value in u.AsSpan())
            value = (float)random.Normal();
        return (z, u);
    }
}
