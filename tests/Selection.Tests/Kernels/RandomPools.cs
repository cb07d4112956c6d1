using FsCheck;
using FsCheck.Fluent;
using MassDpo.Selection.Kernels;
using MassDpo.Shared.Numerics;

namespace MassDpo.Selection.Tests.Kernels;

/// <summary>A pool with its options, in the form that the reference reads; <see cref="Pool"/> is the kernels' view of it.</summary>
public sealed record PoolCase(string Kind, double[] Z, double[][] U, bool Singles, KernelOptions Options)
{
    private readonly float[] _singles = Singles ? [.. U.SelectMany(row => row).Select(x => (float)x)] : [];
    private readonly double[] _doubles = [.. U.SelectMany(row => row)];

    public Pool Pool => Singles ? new Pool(Z, _singles, U[0].Length) : new Pool(Z, _doubles, U[0].Length);

    public override string ToString() => $"{Kind}, n={Z.Length}, d={U[0].Length}, singles={Singles}, {Options}";
}

/// <summary>Pools of every kind that a stream may hold, and some that it should not. The same seeds give the same pools everywhere.</summary>
public static class RandomPools
{
    private static readonly string[] Kinds =
        ["spread", "near-duplicates", "copies", "low rank", "one dominates", "some are zero", "opposite pairs", "all zero"];

    /// <param name="ridge">the smallest relative ridge, 1 the largest</param>
    /// <param name="spread">the largest standard deviation of z</param>
    /// <param name="capped">whether some have caps on z or p</param>
    public static Arbitrary<PoolCase> UpTo(int n, int d, int k, double ridge = 1e-6, double spread = 5, bool capped = false) => Arb.From(
        from seed in Gen.Choose(0, int.MaxValue)
        from kind in Gen.Elements(Kinds)
        from count in Gen.Choose(1, n)
        from dimension in Gen.Choose(1, d)
        from negatives in Gen.Choose(1, k)
        from exponent in Gen.Choose((int)Math.Round(10 * Math.Log10(ridge)), 0)
        from beta in Gen.Elements(0.05, 0.1, 0.5, 1, 2)
        from standardDeviation in Gen.Elements(new[] { 0.0, 0.1, 1, 3, 5 }.Where(value => value <= spread).ToArray())
        from scale in Gen.Elements(1.0, 1, 1, 1e-12, 1e12)
        from singles in Gen.Elements(true, false)
        from zCap in Gen.Elements<double?>(null, 0.5)
        from probabilityCap in Gen.Elements<double?>(null, 0.2)
        select Make(seed, kind, count, dimension, standardDeviation, scale, singles, new KernelOptions
        {
            Negatives = negatives,
            Beta = beta,
            Ridge = Math.Pow(10, exponent / 10.0),
            ZCap = capped ? zCap : null,
            ProbabilityCap = capped ? probabilityCap : null
        }));

    /// <summary>The same 10,000 (or <paramref name="cases"/>) pools at every run; a failure says how to have its pool again.</summary>
    public static Config Cases(int cases) => Config.QuickThrowOnFailure.WithMaxTest(cases).WithReplay(20240608, 1709);

    private static PoolCase Make(int seed, string kind, int n, int d, double spread, double scale, bool singles, KernelOptions options)
    {
        var random = new StableRandom(seed);
        double[] Row(int length) => [.. Enumerable.Range(0, length).Select(_ => random.Normal())];
        var z = Row(n).Select(x => x * spread).ToArray();
        var u = Enumerable.Range(0, n).Select(_ => Row(d)).ToArray();
        switch (kind)
        {
            case "near-duplicates":
                for (var j = 1; j < n; j++)
                {
                    var (from, distance) = (u[random.Below(j)], Math.Pow(10, -1 - random.Below(12)));
                    for (var i = 0; i < d; i++)
                        u[j][i] = from[i] + distance * u[j][i];
                }

                break;
            case "copies":
                for (var j = 1; j < n; j++)
                    if (random.Below(3) > 0)
                    {
                        var from = random.Below(j);
                        (z[j], u[j]) = (z[from], [.. u[from]]);
                    }

                break;
            case "low rank":
                var basis = Enumerable.Range(0, 1 + random.Below(2)).Select(_ => Row(d)).ToArray();
                var places = u.Select(_ => Row(basis.Length)).ToArray();
                u = [.. places.Select(at => Enumerable.Range(0, d).Select(i => at.Zip(basis, (x, b) => x * b[i]).Sum()).ToArray())];
                break;
            case "one dominates":
                var strong = random.Below(n);
                u[strong] = [.. u[strong].Select(x => 1e4 * x)];
                break;
            case "some are zero":
                for (var j = 0; j < n; j += 2)
                    u[j] = new double[d];
                break;
            case "opposite pairs":
                for (var j = 1; j < n; j += 2)
                    (z[j], u[j]) = (z[j - 1], [.. u[j - 1].Select(x => -x)]);
                break;
            case "all zero":
                u = [.. u.Select(_ => new double[d])];
                break;
        }

        // What the kernel is given in float32 the reference gets too.
        u = [.. u.Select(row => row.Select(x => singles ? (double)(float)(x * scale) : x * scale).ToArray())];
        return new PoolCase(kind, z, u, singles, options);
    }
}
