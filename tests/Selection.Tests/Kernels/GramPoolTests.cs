using FsCheck;
using FsCheck.Fluent;
using MassDpo.Selection.Kernels;
using MassDpo.Shared.Numerics;

namespace MassDpo.Selection.Tests.Kernels;

/// <summary>Pools given by inner products instead of features.</summary>
public class GramPoolTests
{
    private readonly Workspace _workspace = new();

    [Theory]
    [InlineData(Objective.Mass)]
    [InlineData(Objective.Exact)]
    public void InnerProductsGiveWhatTheFeaturesGive(Objective objective) =>
        Check.One(RandomPools.Cases(2_000), Prop.ForAll(RandomPools.UpTo(n: 24, d: 16, k: 5, ridge: 1e-3, spread: 1), pool =>
        {
            var gram = Gram(pool.U);
            var features = Chosen(objective, pool.Pool, pool.Options);
            var products = Chosen(objective, Pool.OfGram(pool.Z, gram), pool.Options);
            Assert.Equal(features.Information, products.Information, 1e-8);
            Assert.Equal(features.Bound ?? 0, products.Bound ?? 0, 1e-8);
            for (var i = 0; i < features.Picks.Length && features.Picks[i].Index == products.Picks[i].Index; i++)
                Assert.Equal(features.Picks[i].Gain!.Value, products.Picks[i].Gain!.Value, 1e-8);
            int[] subset = [.. features.Picks.Select(pick => pick.Index)];
            Assert.Equal(FisherInformation.Of(objective, pool.Pool, subset, pool.Options, _workspace),
                FisherInformation.Of(objective, Pool.OfGram(pool.Z, gram), subset, pool.Options, _workspace), 1e-8);
            Assert.Equal(FisherInformation.EffectiveRank(pool.Pool, pool.Options, _workspace),
                FisherInformation.EffectiveRank(Pool.OfGram(pool.Z, gram), pool.Options, _workspace), 1e-8);
        }));

    [Fact]
    public void AnExhaustiveSearchTakesInnerProducts()
    {
        var (z, u) = Draw(n: 9, d: 3);
        var pool = Pool.OfGram(z, Gram(u));
        foreach (var objective in Enum.GetValues<Objective>())
            Assert.Equal(Kernel.Exhaustive(new Pool(z, [.. u.SelectMany(row => row)], 3), objective, Options(3), _workspace).Information!.Value,
                Kernel.Exhaustive(pool, objective, Options(3), _workspace).Information!.Value, 1e-12);
    }

    [Fact]
    public void DifferencesAreThoseToTheFirst()
    {
        var (_, phi) = Draw(n: 6, d: 4);
        var differences = new double[25];
        DifferenceGram.Of(Gram(phi), 6, differences);
        var u = phi.Skip(1).Select(row => row.Zip(phi[0], (x, w) => x - w).ToArray()).ToArray();
        Assert.Equal(Gram(u), differences, (a, b) => Math.Abs(a - b) < 1e-12);
        for (var i = 0; i < 5; i++)
            for (var j = 0; j < 5; j++)
                Assert.Equal(differences[i * 5 + j], differences[j * 5 + i]);
        Assert.Throws<ArgumentException>(() => DifferenceGram.Of(new double[4], 3, new double[4]));
        Assert.Throws<ArgumentException>(() => DifferenceGram.Of(new double[4], 2, new double[4]));
    }

    [Fact]
    public void NothingIsAllocated()
    {
        var (z, u) = Draw(n: 40, d: 5);
        var (gram, differences, options) = (Gram(u), new double[39 * 39], Options(8));
        Choose();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            Choose();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Choose()
        {
            DifferenceGram.Of(gram, 40, differences);
            Kernel.Mass(Pool.OfGram(z.AsSpan(1), differences), options, _workspace);
            Kernel.Exact(Pool.OfGram(z.AsSpan(1), differences), options, _workspace);
        }
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e260)]
    public void AnInnerProductThatIsNotFiniteOrTooLargeIsRefusedWithItsCandidate(double bad)
    {
        var (z, u) = Draw(n: 5, d: 3);
        foreach (var other in new[] { 2, 4 })
        {
            var gram = Gram(u);
            gram[2 * 5 + other] = gram[other * 5 + 2] = bad;
            Assert.Equal(2, Assert.Throws<RefusedPoolException>(() => Kernel.Mass(Pool.OfGram(z, gram), Options(2), _workspace)).Index);
            Assert.Equal(2, Assert.Throws<RefusedPoolException>(() => Kernel.Exact(Pool.OfGram(z, gram), Options(2), _workspace)).Index);
        }
    }

    [Fact]
    public void ASquareThatRoundingLeftBelowZeroCountsAsNone()
    {
        var result = Kernel.Mass(Pool.OfGram([0, 0], [-1e-18, 0, 0, 1]), Options(2), _workspace);
        Assert.Equal([1, 0], result.Picks.ToArray().Select(pick => pick.Index));
        Assert.Equal(0, result.Picks[1].Gain);
        Assert.True(Kernel.Exact(Pool.OfGram([0, 0], [-1e-18, 0, 0, -1e-18]), Options(2), _workspace).NoInformation);
    }

    [Fact]
    public void WhatDoesNotFitIsAnErrorOfTheCaller()
    {
        Assert.Throws<ArgumentException>(() => Pool.OfGram([0, 1], [1, 2, 3]).Count);
        // These are sums of features, which inner products do not give.
        Assert.Throws<ArgumentException>(() => FisherInformation.Gradient(Pool.OfGram([0], [1]), 1, new double[1]));
        Assert.Throws<ArgumentException>(() => FisherInformation.HessianBound(Pool.OfGram([0], [1]), 1, new double[1]));
        Assert.Equal(0, Kernel.Mass(Pool.OfGram([], []), Options(2), _workspace).Picks.Length);
    }

    private sealed record Choice(Pick[] Picks, double Information, double? Bound);

    private Choice Chosen(Objective objective, Pool pool, KernelOptions options)
    {
        var result = objective == Objective.Mass ? Kernel.Mass(pool, options, _workspace) : Kernel.Exact(pool, options, _workspace);
        return new Choice(result.Picks.ToArray(), result.Information!.Value, result.Bound);
    }

    private static KernelOptions Options(int k) => new() { Negatives = k, Beta = 1 };

    private static double[] Gram(double[][] u) => [.. u.SelectMany(a => u.Select(b => a.Zip(b, (x, y) => x * y).Sum()))];

    private static (double[] Z, double[][] U) Draw(int n, int d)
    {
        var random = new StableRandom(n, d);
        var (z, u) = (new double[n], new double[n][]);
        for (var j = 0; j < n; j++)
        {
            z[j] = random.Normal();
            u[j] = new double[d];
            foreach (ref var x in u[j].AsSpan())
                x = random.Normal();
        }
        return (z, u);
    }
}
