using FsCheck;
using FsCheck.Fluent;
using MassDpo.Selection.Kernels;
using MassDpo.Shared.Numerics;

namespace MassDpo.Selection.Tests.Kernels;

public class GreedyTests
{
    private readonly Workspace _workspace = new();

    [Fact]
    public void MassPicksAsItsReferenceDoesWithGainsTo1e9() =>
        Check.One(RandomPools.Cases(10_000), Prop.ForAll(RandomPools.UpTo(n: 40, d: 32, k: 8), pool =>
            AgreesWithReference(Objective.Mass, pool)));

    [Fact]
    public void ExactPicksAsItsReferenceDoesWithGainsToTheRoundingOfItsMatrix() =>
        Check.One(RandomPools.Cases(10_000), Prop.ForAll(RandomPools.UpTo(n: 24, d: 32, k: 5), pool =>
            AgreesWithReference(Objective.Exact, pool)));

    [Theory]
    [InlineData(Objective.Mass)]
    [InlineData(Objective.Exact)]
    public void CapsCountAsInTheReference(Objective objective) =>
        Check.One(RandomPools.Cases(1_000), Prop.ForAll(RandomPools.UpTo(n: 12, d: 8, k: 4, ridge: 1e-2, capped: true), pool =>
            AgreesWithReference(objective, pool)));

    [Fact]
    public void PicksAreDistinctAndGainsFinite() =>
        Check.One(RandomPools.Cases(2_000), Prop.ForAll(RandomPools.UpTo(n: 40, d: 32, k: 40), pool =>
        {
            // z far outside the clamp, and picks as many as there are candidates.
            var extreme = pool with { Z = [.. pool.Z.Select(z => 1e3 * z)] };
            foreach (var result in new[] { pool, extreme }.SelectMany(each => new[] { Chosen(Objective.Mass, each), Chosen(Objective.Exact, each) }))
            {
                Assert.Equal(Math.Min(pool.Options.Negatives, pool.Z.Length), result.Picks.Length);
                Assert.Distinct(result.Picks.Select(pick => pick.Index));
                Assert.All(result.Picks, pick => Assert.InRange(pick.Index, 0, pool.Z.Length - 1));
                Assert.All(result.Picks, pick => Assert.True(double.IsFinite(pick.Gain!.Value)));
                Assert.Equal(result.Picks.Sum(pick => pick.Gain!.Value), result.Information, 1e-9);
            }
        }));

    [Fact]
    public void MassGainsDoNotIncreaseBy1e9OrMore() =>
        Check.One(RandomPools.Cases(2_000), Prop.ForAll(RandomPools.UpTo(n: 40, d: 32, k: 40), pool =>
        {
            var gains = Kernel.Mass(pool.Pool, pool.Options, _workspace).Picks.ToArray().Select(pick => pick.Gain!.Value).ToArray();
            for (var i = 1; i < gains.Length; i++)
                Assert.True(gains[i] < gains[i - 1] + 1e-9, $"step {i}: {gains[i]:r} after {gains[i - 1]:r}");
        }));

    [Theory]
    [InlineData(Objective.Mass)]
    [InlineData(Objective.Exact)]
    public void RunnerUpIsTheBestOfTheOthers(Objective objective) =>
        Check.One(RandomPools.Cases(300), Prop.ForAll(RandomPools.UpTo(n: 8, d: 8, k: 4, ridge: 1e-2, spread: 1), pool =>
        {
            var subset = new List<int>();
            foreach (var pick in Chosen(objective, pool).Picks)
            {
                var others = Enumerable.Range(0, pool.Z.Length).Except(subset).Where(j => j != pick.Index).ToArray();
                Assert.Equal(others.Length > 0 && pool.Kind != "all zero", pick.RunnerUp is not null);
                if (pick.RunnerUp is { } runnerUp)
                {
                    var before = Of(objective, pool, subset);
                    Assert.Contains(runnerUp, others);
                    Assert.Equal(Of(objective, pool, [.. subset, runnerUp]) - before, pick.RunnerUpGain!.Value, 1e-8);
                    Assert.Equal(others.Max(j => Of(objective, pool, [.. subset, j])) - before, pick.RunnerUpGain!.Value, 1e-8);
                }

                subset.Add(pick.Index);
            }
        }));

    [Theory]
    [InlineData(Objective.Mass)]
    [InlineData(Objective.Exact)]
    public void InformationIsTheDeterminantAtThePicks(Objective objective) =>
        Check.One(RandomPools.Cases(1_000), Prop.ForAll(RandomPools.UpTo(n: 20, d: 16, k: 6, ridge: 1e-2, spread: 1), pool =>
        {
            var result = Chosen(objective, pool);
            Assert.Equal(Of(objective, pool, [.. result.Picks.Select(pick => pick.Index)]), result.Information, 1e-8);
        }));

    [Theory]
    [InlineData(3, 1e-9)]
    [InlineData(10, 1e-3)]
    // Far beyond what float64 resolves the information is still about right: nothing is invented for candidates that the others explain.
    [InlineData(20, 3)]
    [InlineData(30, 3)]
    public void ExactOnOneAxisIsTheLogarithmOfTheVariance(double mostZ, double tolerance)
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new StableRandom(seed);
            var (z, u) = (new double[20], new double[20]);
            for (var j = 0; j < 20; j++)
                (z[j], u[j]) = j % 4 == 0 ? (mostZ * random.Unit(), 0) : (-mostZ * random.Unit(), random.Normal());
            var result = Kernel.Exact(new Pool(z, u, 1), new KernelOptions { Negatives = 6, Beta = 0.5 }, _workspace);

            // The variance of u under the softmax over the picks and the preferred response (z = 0, u = 0), pair by pair.
            var (total, variance) = (1.0, 0.0);
            var seen = new List<(double Weight, double U)> { (1, 0) };
            foreach (var pick in result.Picks)
            {
                var (weight, at) = (Math.Exp(z[pick.Index]), u[pick.Index]);
                variance += seen.Sum(other => weight * other.Weight * Math.Pow(at - other.U, 2));
                total += weight;
                seen.Add((weight, at));
            }

            Assert.Equal(Math.Log(1 + 0.25 / result.Ridge!.Value * variance / (total * total)), result.Information!.Value, tolerance);
        }
    }

    [Theory]
    [InlineData(Objective.Mass)]
    [InlineData(Objective.Exact)]
    public void IdenticalCandidatesArePickedLowestIndexFirst(Objective objective) =>
        Check.One(RandomPools.Cases(2_000), Prop.ForAll(RandomPools.UpTo(n: 20, d: 32, k: 20), pool =>
        {
            var picked = new HashSet<int>();
            foreach (var pick in Chosen(objective, pool).Picks)
            {
                var earlier = Enumerable.Range(0, pick.Index)
                    .Where(j => pool.Z[j].Equals(pool.Z[pick.Index]) && pool.U[j].SequenceEqual(pool.U[pick.Index]));
                Assert.All(earlier, j => Assert.Contains(j, picked));
                picked.Add(pick.Index);
            }
        }));

    private void AgreesWithReference(Objective objective, PoolCase pool)
    {
        var reference = GreedyReference.Greedy(objective, pool.Z, pool.U, pool.Options);
        var result = Chosen(objective, pool);
        Assert.Equal(reference.Count, result.Picks.Length);
        for (var i = 0; i < reference.Count; i++)
        {
            var (expected, actual) = (reference[i], result.Picks[i]);
            var tolerance = 1e-9 * Math.Max(1, Math.Abs(expected.Gain!.Value));
            if (objective == Objective.Exact)
                tolerance += Rounding(pool, result.Ridge, [.. reference.Take(i + 1).Select(pick => pick.Index)], actual.Index);
            Assert.True(Math.Abs(actual.Gain!.Value - expected.Gain.Value) <= tolerance,
                $"step {i}: gain {actual.Gain:r} of {actual.Index} against {expected.Gain:r} of {expected.Index}");

            // A tie within rounding may be broken either way; from there on the two have different subsets.
            if (actual.Index != expected.Index)
                break;
        }
    }

    /// <summary>
    /// Eight units in the last place of the largest entry of (β²/γ) diag(p)^½ G diag(p)^½: what is lost where near-duplicates of it are told apart.
    /// With ρ ≥ 1e-3 and |z| ≤ 3 it is below 1e-9.
    /// </summary>
    private static double Rounding(PoolCase pool, double? ridge, int[] subset, int other)
    {
        if (ridge is not { } gamma)
            return 0;
        var largest = subset.Append(other).Max(j => Math.Exp(pool.Z[j]) * pool.U[j].Sum(x => x * x));
        var total = 1 + subset.Sum(j => Math.Exp(pool.Z[j]));
        return 8 * Math.Pow(2, -52) * Math.Pow(pool.Options.Beta, 2) / gamma * largest / total;
    }

    private sealed record Choice(Pick[] Picks, double Information, double? Ridge);

    private Choice Chosen(Objective objective, PoolCase pool)
    {
        var result = objective == Objective.Mass
            ? Kernel.Mass(pool.Pool, pool.Options, _workspace)
            : Kernel.Exact(pool.Pool, pool.Options, _workspace);
        return new Choice(result.Picks.ToArray(), result.Information!.Value, result.Ridge);
    }

    private double Of(Objective objective, PoolCase pool, List<int> subset) =>
        FisherInformation.Of(objective, pool.Pool, [.. subset], pool.Options, _workspace);
}
