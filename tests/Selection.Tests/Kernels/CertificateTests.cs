using FsCheck;
using FsCheck.Fluent;
using MassDpo.Selection.Kernels;

namespace MassDpo.Selection.Tests.Kernels;

public class CertificateTests
{
    private readonly Workspace _workspace = new();

    [Fact]
    public void NoSubsetExceedsTheBoundAndGreedyHasItsShareOfTheBest() =>
        Check.One(RandomPools.Cases(2_000), Prop.ForAll(RandomPools.UpTo(n: 12, d: 8, k: 4, ridge: 1e-4), pool =>
        {
            var best = Kernel.Exhaustive(pool.Pool, Objective.Mass, pool.Options, _workspace).Information!.Value;
            var greedy = Kernel.Mass(pool.Pool, pool.Options, _workspace);
            Assert.InRange(best, greedy.Information!.Value - 1e-9, greedy.Bound!.Value + 1e-9);
            Assert.True(greedy.Information >= (1 - 1 / Math.E) * best - 1e-9);
        }));

    [Fact]
    public void BoundIsTheLeastOverPrefixesOfTheirInformationAndTheLargestMarginalGains() =>
        Check.One(RandomPools.Cases(500), Prop.ForAll(RandomPools.UpTo(n: 12, d: 8, k: 4, ridge: 1e-2, spread: 1), pool =>
        {
            var result = Kernel.Mass(pool.Pool, pool.Options, _workspace);
            var picks = result.Picks.ToArray().Select(pick => pick.Index).ToArray();
            var bounds = Enumerable.Range(0, picks.Length + 1).Select(i =>
            {
                var prefix = picks[..i];
                var gains = Enumerable.Range(0, pool.Z.Length).Except(prefix).Select(j => Of(pool, [.. prefix, j]) - Of(pool, prefix));
                return Of(pool, prefix) + gains.OrderDescending().Take(pool.Options.Negatives).Sum();
            });
            Assert.Equal(bounds.Min(), result.Bound!.Value, 1e-8);
        }));

    [Fact]
    public void BoundIsReachedWhereAllCandidatesAreKept() =>
        Check.One(RandomPools.Cases(200), Prop.ForAll(RandomPools.UpTo(n: 8, d: 8, k: 4), pool =>
        {
            var result = Kernel.Mass(pool.Pool, pool.Options with { Negatives = pool.Z.Length }, _workspace);
            Assert.Equal(result.Information!.Value, result.Bound!.Value, 1e-9);
        }));

    [Fact]
    public void ExactIsBestForOneNegativeAndNeverAboveTheBest() =>
        Check.One(RandomPools.Cases(1_000), Prop.ForAll(RandomPools.UpTo(n: 10, d: 8, k: 3, ridge: 1e-2, spread: 1), pool =>
        {
            var best = Kernel.Exhaustive(pool.Pool, Objective.Exact, pool.Options, _workspace).Information!.Value;
            var greedy = Kernel.Exact(pool.Pool, pool.Options, _workspace).Information!.Value;
            Assert.True(greedy <= best + 1e-8);
            if (pool.Options.Negatives == 1)
                Assert.Equal(best, greedy, 1e-8);
        }));

    private double Of(PoolCase pool, int[] subset) => FisherInformation.Of(Objective.Mass, pool.Pool, subset, pool.Options, _workspace);
}
