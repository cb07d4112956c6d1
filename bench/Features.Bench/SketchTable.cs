using System.Globalization;
using MassDpo.App.Running;
using MassDpo.Policy.Scoring;
using MassDpo.Selection.Kernels;
using MassDpo.Shared.Contracts;

namespace MassDpo.Features.Bench;

/// <summary>Compares sketches with the exact inner products that they stand for. Each pool has signs of its own.</summary>
internal static class SketchTable
{
    private static readonly int[] Sizes = [64, 256, 1024, 4096, 16384];

    public static async Task PrintAsync(TableRequest request, TextWriter output)
    {
        TorchSharp.torch.set_num_threads(1);
        using var policy = LoadedPolicy.Load(request.Policy);
        var pools = await FeatureTable.PoolsAsync(request, policy);
        var (options, workspace) = (new KernelOptions { Negatives = request.Negatives, Beta = 1 }, new Workspace());
        Print(output, $"{pools.Count:N0} records; k = {request.Negatives}, ρ = {options.Ridge}, one thread.\n");
        output.WriteLine("| features | error of inner products of u | of squared lengths of u | Jaccard of mass picks with the exact ones | CPU ms per record |");
        output.WriteLine("|---|---|---|---|---|");
        foreach (var kind in new[] { FeatureKind.Head, FeatureKind.Lora })
        {
            if (kind == FeatureKind.Lora && policy.Weights.Lora is null)
                continue;
            var (exact, exactTime) = Grams(policy, pools, _ => new FeatureForm(kind, false));
            var exactPicks = exact.ConvertAll(gram => FeatureTable.Picks(gram, options, workspace));
            Print(output, $"| {kind.Name()} | | | | {exactTime:F2} |");
            foreach (var size in Sizes)
            {
                var (sketched, time) = Grams(policy, pools, pool => new FeatureForm(kind, false) { Sketch = size, Seed = pool });
                var all = Mean(pool => RelativeError(exact[pool], sketched[pool]));
                var lengths = Mean(pool => RelativeError(Diagonal(exact[pool]), Diagonal(sketched[pool])));
                var jaccard = Mean(pool => Agreement.Jaccard(exactPicks[pool], FeatureTable.Picks(sketched[pool], options, workspace)));
                Print(output, $"| {new FeatureForm(kind, false) { Sketch = size }.Name} | {all:F3} | {lengths:F3} | {jaccard:F2} | {time:F2} |");
            }
        }
        output.WriteLine("\nErrors are ‖found − exact‖/‖exact‖ over a pool, then the mean; milliseconds are those of scoring, the log-probabilities included.");

        double Mean(Func<int, double> of) => Enumerable.Range(0, pools.Count).Average(of);
    }

    // Processor time, as others may use the machine too; the first pool is computed once more before, to warm up.
    private static (List<double[]> Grams, double Milliseconds) Grams(LoadedPolicy policy, List<EncodedPool> pools, Func<int, FeatureForm> form)
    {
        policy.Scorer.Score(policy.Weights, [pools[0]], form(0));
        var begin = Environment.CpuUsage.TotalTime;
        var scores = pools.Select((pool, n) => policy.Scorer.Score(policy.Weights, [pool], form(n))).ToList();
        var taken = (Environment.CpuUsage.TotalTime - begin).TotalMilliseconds / pools.Count;
        return ([.. scores.Zip(pools, FeatureTable.GramOf)], taken);
    }

    private static double RelativeError(double[] exact, double[] found) =>
        Math.Sqrt(exact.Zip(found, (x, y) => (x - y) * (x - y)).Sum() / exact.Sum(x => x * x));

    private static double[] Diagonal(double[] gram)
    {
        var n = (int)Math.Sqrt(gram.Length);
        return [.. Enumerable.Range(0, n).Select(i => gram[i * n + i])];
    }

    private static void Print(TextWriter output, FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
