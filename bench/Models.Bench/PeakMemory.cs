using System.Text.Json.Nodes;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using static System.FormattableString;
using static TorchSharp.torch;

namespace MassDpo.Models.Bench;

/// <summary>
/// What a process holds at most beyond its weights while pools are scored, and while an adapter or all weights are trained on them: with a vocabulary of 4,096 and
/// with one of 128,000, in tensor operations.
/// </summary>
internal static class PeakMemory
{
    private const int Records = 8;

    public static void Run()
    {
        Console.WriteLine("| vocabulary | work | activation checkpointing | weights | at most beyond them | all logits at once would be |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var vocabulary in new[] { 4096, 128_000 })
            foreach (var (what, checkpointing) in new[] { ("score", false), ("train an adapter", false), ("train an adapter", true), ("train all weights", false) })
            {
                var told = JsonNode.Parse(OwnProcess.Run("memory", "child", $"{vocabulary}", what, $"{checkpointing}"))!;
                Console.WriteLine(Invariant($"| {vocabulary:N0} | {what}, {Records} records | {(what == "score" ? "" : checkpointing ? "on" : "off")} | {Mib((long)told["weights"]!)} | {Mib((long)told["beyond"]!)} | {Mib((long)told["logits"]!)} |"));
            }
    }

    public static void Child(int vocabulary, string what, bool checkpointing)
    {
        var config = Llama.Config(vocabulary);
        using var model = new LlamaModel(config);
        using var whole = PolicyWeights.Initialise(config, seed: 1, embeddingDeviation: 0.05);
        var candidates = what == "score" ? Llama.Candidates : 4;
        var pools = Llama.Pools(Records, candidates, vocabulary);
        var limits = ComputeLimits.Default with { Checkpointing = checkpointing };
        using var trained = what switch
        {
            "score" => null,
            "train an adapter" => Adapter(whole),
            _ => whole.Copy(trainable: true),
        };
        // Its first work costs memory once, whatever comes after.
        new PoolScorer(model, limits, tensorOperationsOnly: true).Score(whole, Llama.Pools(1, 2, vocabulary), outputFeatures: false);
        var before = OwnProcess.NowBytes();
        if (trained is null)
            new PoolScorer(model, limits, tensorOperationsOnly: true).Score(whole, pools, outputFeatures: true);
        else
            Train(model, trained, limits, pools);
        var places = Records * (1L + candidates * 15);
        Console.WriteLine(new JsonObject { ["weights"] = whole.Bytes, ["beyond"] = OwnProcess.PeakBytes() - before, ["logits"] = places * vocabulary * sizeof(float) }.ToJsonString());
    }

    private static PolicyWeights Adapter(PolicyWeights whole)
    {
        using var fresh = whole.WithFreshAdapter(Llama.Lora, seed: 1);
        return fresh.Copy(trainable: true);
    }

    private static void Train(LlamaModel model, PolicyWeights trained, ComputeLimits limits, List<Shared.Contracts.EncodedPool> pools)
    {
        using var scorer = new DifferentiableScorer(model, trained, limits, tensorOperationsOnly: true);
        foreach (var group in scorer.Plan(pools))
        {
            using var scope = NewDisposeScope();
            scorer.Backward(scorer.Logps([.. group.Select(n => pools[n])]).sum());
        }
    }

    private static string Mib(long bytes) => Invariant($"{bytes / 1048576.0:N0} MiB");
}
