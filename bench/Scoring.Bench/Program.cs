using System.Diagnostics;
using MassDpo.Policy.Fused;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Scoring.Bench;
using static TorchSharp.torch;

// generation STORIES260K.BIN   tokens/s of generation with keys and values kept, and without
// Without arguments:
// Time per record of scoring by native/fused and by tensor operations, on one thread. Both take turns, so that whatever else the machine does meets both
// alike; the median counts, and the best tells what a quiet machine would give.
set_num_threads(1);
if (args is ["generation", var checkpoint])
{
    GenerationSpeed.Compare(checkpoint);
    return;
}
Products.Compare();
foreach (var workload in Workload.All)
{
    using var weights = PolicyWeights.Initialise(workload.Config, seed: 1, embeddingDeviation: 0.05);
    using var model = new LlamaModel(workload.Config);
    var fused = new PoolScorer(model);
    if (!fused.IsBatchInvariant(weights))
        throw new InvalidOperationException("native/fused is not to be had here");
    var tensors = new PoolScorer(model, tensorOperationsOnly: true);
    var pools = workload.Pools();
    var one = pools[..1];
    Console.WriteLine($"{workload.Name}: {weights.Parameters:N0} parameters, {pools.Count} records");
    Compare("  log-probabilities, packed", pools.Count, () => fused.Score(weights, pools, false), () => tensors.Score(weights, pools, false));
    Compare("  and features, packed", pools.Count, () => fused.Score(weights, pools, true), () => tensors.Score(weights, pools, true));
    Compare("  the same bits always", pools.Count, () => fused.ScoreCanonically(weights, pools), () => tensors.ScoreCanonically(weights, pools));
    Compare("  one record alone", 1, () => fused.Score(weights, one, false), () => tensors.Score(weights, one, false));
    var packing = new List<double>();
    for (var i = 0; i < 30; i++)
        packing.Add(Time(() => FusedWeights.Pack(weights).Dispose()));
    Console.WriteLine($"  packing a version: {Median(packing) / 1000:F2} ms (best {packing.Min() / 1000:F2})");

    void Compare(string what, int records, Action ours, Action theirs)
    {
        var (a, b) = (new List<double>(), new List<double>());
        ours();
        theirs();
        var until = Stopwatch.GetTimestamp() + workload.Seconds * Stopwatch.Frequency;
        while (a.Count < 7 || Stopwatch.GetTimestamp() < until)
        {
            a.Add(Time(ours));
            b.Add(Time(theirs));
        }
        var (mine, other) = (Median(a) / records, Median(b) / records);
        Console.WriteLine($"{what}: fused {mine:N1} µs a record (best {a.Min() / records:N1}), tensor operations {other:N1} µs (best {b.Min() / records:N1}); "
            + $"{other / mine:F2} times as fast ({a.Count} rounds)");
    }

    static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);

    static double Time(Action body)
    {
        var start = Stopwatch.GetTimestamp();
        body();
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds;
    }
}
