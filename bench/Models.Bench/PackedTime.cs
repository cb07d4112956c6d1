using System.Diagnostics;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Contracts;
using static System.FormattableString;

namespace MassDpo.Models.Bench;

/// <summary>
/// Scoring a pool packed against apart, each candidate behind its own copy of the prompt. Both compute the output matrix at response positions alone; they take
/// turns, so that whatever else the machine does meets both alike.
/// </summary>
internal static class PackedTime
{
    private const int Rounds = 9;
    private const double Goal = 5;

    public static bool Run()
    {
        var config = Llama.Config(4096);
        using var weights = PolicyWeights.Initialise(config, seed: 1, embeddingDeviation: 0.05);
        using var model = new LlamaModel(config);
        var pools = Llama.Pools(1, Llama.Candidates, config.VocabularySize);
        List<EncodedPool> apart = [.. pools[0].Responses.Select(response => new EncodedPool(pools[0].Prompt, [response]))];
        var passed = true;
        Console.WriteLine("| a pool of 20, prompt of 256, responses of 16 | packed, ms | apart, ms | apart / packed | goal |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var (name, scorer) in new[] { ("native/fused", new PoolScorer(model)), ("tensor operations", new PoolScorer(model, new ComputeLimits(8192), tensorOperationsOnly: true)) })
        {
            var (together, alone) = (new List<double>(), new List<double>());
            for (var round = 0; round <= Rounds; round++)
            {
                var (a, b) = (Time(() => scorer.Score(weights, pools, outputFeatures: false)), Time(() => scorer.Score(weights, apart, outputFeatures: false)));
                if (round == 0)
                    continue;
                together.Add(a);
                alone.Add(b);
            }
            var ratio = Median([.. together.Zip(alone, (a, b) => b / a)]);
            passed &= ratio >= Goal;
            Console.WriteLine(Invariant($"| {name} | {Spread(together)} | {Spread(alone)} | {ratio:F1} | ≥ {Goal} {(ratio >= Goal ? "PASS" : "FAIL")} |"));
        }
        return passed;
    }

    private static double Time(Action body)
    {
        var start = Stopwatch.GetTimestamp();
        body();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static string Spread(List<double> values) => Invariant($"{Median(values):F1} ({values.Min():F1}–{values.Max():F1})");
}
