using System.Text.Json.Nodes;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Contracts;
using static System.FormattableString;
using static TorchSharp.torch;

namespace MassDpo.Models.Bench;

/// <summary>
/// What a process holds at most beyond its weights while pools are scored, and while an adapter or all weights are trained on them, in tensor operations: with a
/// vocabulary of 4,096 and with one of 128,000; and with long packs, their attention in parts and all at once.
/// </summary>
internal static class PeakMemory
{
    private const int Records = 8;
    private const int ShortVocabulary = 4096;
    private const string Adapted = "train an adapter";

    public static void Run()
    {
        Console.WriteLine("| vocabulary | work | activation checkpointing | weights | at most beyond them | all logits at once would be |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var vocabulary in new[] { ShortVocabulary, 128_000 })
            foreach (var (what, checkpointing) in new[] { ("score", false), (Adapted, false), (Adapted, true), ("train all weights", false) })
            {
                var told = JsonNode.Parse(OwnProcess.Run("memory", "child", $"{vocabulary}", what, $"{checkpointing}"))!;
                Console.WriteLine(Invariant($"| {vocabulary:N0} | {what}, {Records} records | {(what == "score" ? "" : checkpointing ? "on" : "off")} | {Mib((long)told["weights"]!)} | {Mib((long)told["beyond"]!)} | {Mib((long)told["logits"]!)} |"));
            }
    }

    public static void RunLong()
    {
        Console.WriteLine("| places of a pack | work | activation checkpointing | scores of a layer | at most, all at once | at most, in parts |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var (places, what, checkpointing) in new[]
            { (4096, "score", false), (4096, Adapted, false), (4096, Adapted, true), (8192, "score", false), (8192, Adapted, true) })
        {
            var (once, parts) = (Told(false), Told(true));
            var scores = 4L * Llama.Config(ShortVocabulary).Heads * places * places;
            Console.WriteLine(Invariant($"| {places:N0} | {what} | {(what == "score" ? "" : checkpointing ? "on" : "off")} | {Mib(scores)} | {Mib(once)} | {Mib(parts)} |"));

            long Told(bool inParts) => (long)JsonNode.Parse(OwnProcess.Run("long", "child", $"{places}", what, $"{checkpointing}", $"{inParts}"))!["beyond"]!;
        }
    }

    public static void ChildLong(int places, string what, bool checkpointing, bool inParts)
    {
        var config = Llama.Config(ShortVocabulary) with { MaxPositions = places };
        // Two responses, of whose tokens the last takes no place.
        var pools = Llama.Pools(1, 2, ShortVocabulary, places - 2 * 15);
        using var model = inParts ? new LlamaModel(config) : new LlamaModel(config, mostScores: long.MaxValue);
        Measure(config, model, what, new ComputeLimits(places, checkpointing), pools);
    }

    public static void Child(int vocabulary, string what, bool checkpointing)
    {
        var config = Llama.Config(vocabulary);
        using var model = new LlamaModel(config);
        Measure(config, model, what, ComputeLimits.Default with { Checkpointing = checkpointing }, Llama.Pools(Records, what == "score" ? Llama.Candidates : 4, vocabulary));
    }

    private static void Measure(PolicyConfig config, LlamaModel model, string what, ComputeLimits limits, List<EncodedPool> pools)
    {
        using var whole = PolicyWeights.Initialise(config, seed: 1, embeddingDeviation: 0.05);
        using var trained = what switch
        {
            "score" => null,
            Adapted => Adapter(whole),
            _ => whole.Copy(trainable: true),
        };
        // Its first work costs memory once, whatever comes after.
        new PoolScorer(model, limits, tensorOperationsOnly: true).Score(whole, Llama.Pools(1, 2, config.VocabularySize), outputFeatures: false);
        var before = OwnProcess.NowBytes();
        if (trained is null)
            new PoolScorer(model, limits, tensorOperationsOnly: true).Score(whole, pools, outputFeatures: true);
        else
            Train(model, trained, limits, pools);
        var places = pools.Sum(pool => 1L + pool.Candidates * 15);
        Console.WriteLine(new JsonObject { ["weights"] = whole.Bytes, ["beyond"] = OwnProcess.PeakBytes() - before, ["logits"] = places * config.VocabularySize * sizeof(float) }.ToJsonString());
    }

    private static PolicyWeights Adapter(PolicyWeights whole)
    {
        using var fresh = whole.WithFreshAdapter(Llama.Lora, seed: 1);
        return fresh.Copy(trainable: true);
    }

    private static void Train(LlamaModel model, PolicyWeights trained, ComputeLimits limits, List<EncodedPool> pools)
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
