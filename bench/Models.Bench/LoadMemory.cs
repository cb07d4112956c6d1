using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;
using static System.FormattableString;
using static TorchSharp.torch;

namespace MassDpo.Models.Bench;

/// <summary>What a process holds at most while it loads a random bf16 checkpoint of more than 1 GB in several shards, into a compute type.</summary>
internal static class LoadMemory
{
    private const int Shards = 5;
    private const long Allowed = 300 << 20;

    private static readonly PolicyConfig Config = new()
    {
        HiddenSize = 2048,
        IntermediateSize = 5632,
        Layers = 10,
        Heads = 32,
        KeyValueHeads = 32,
        HeadSize = 64,
        VocabularySize = 32_000,
        MaxPositions = 4096,
    };

    public static bool Run(ScalarType type)
    {
        var directory = Directory.CreateTempSubdirectory("massdpo-load-").FullName;
        try
        {
            var bytes = Write(directory);
            var told = JsonNode.Parse(OwnProcess.Run("load", "child", directory, $"{type}"))!;
            var (before, peak, weights, seconds) = ((long)told["before"]!, (long)told["peak"]!, (long)told["weights"]!, (double)told["seconds"]!);
            Console.WriteLine($"| on disk, bf16 | weights, {type.ToString().ToLowerInvariant()} | process before | at most | beyond the weights | goal | seconds |");
            Console.WriteLine("|---|---|---|---|---|---|---|");
            Console.WriteLine(Invariant($"| {Mib(bytes)} in {Shards} shards | {Mib(weights)} | {Mib(before)} | {Mib(peak)} | {Mib(peak - weights)} | ≤ {Mib(Allowed)} {(peak - weights <= Allowed ? "PASS" : "FAIL")} | {seconds:F1} |"));
            return peak - weights <= Allowed;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    public static void Child(string directory, ScalarType type)
    {
        var config = PolicyDirectory.LoadConfig(directory);
        zeros(1).Dispose();
        var before = OwnProcess.NowBytes();
        var start = Stopwatch.GetTimestamp();
        using var weights = PolicyDirectory.LoadWeights(directory, config, new Placement(type, CPU));
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine(new JsonObject { ["before"] = before, ["peak"] = OwnProcess.PeakBytes(), ["weights"] = weights.Bytes, ["seconds"] = seconds }.ToJsonString());
    }

    private static long Write(string directory)
    {
        File.WriteAllText(Path.Combine(directory, "config.json"), Config.ToJson().ToJsonString());
        var map = new JsonObject();
        var (total, number) = (0L, 0);
        var shapes = PolicyWeights.ShapesOf(Config).ToList();
        foreach (var shard in shapes.Chunk((shapes.Count + Shards - 1) / Shards))
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"model-{++number:D5}-of-{Shards:D5}.safetensors");
            using var scope = NewDisposeScope();
            var tensors = shard.Select(shape => KeyValuePair.Create(shape.Key, (randn(shape.Value) * 0.02f).to(ScalarType.BFloat16))).ToList();
            using (var stream = File.Create(Path.Combine(directory, name)))
                SafetensorsFile.Write(stream, tensors);
            foreach (var (key, _) in tensors)
                map[key] = name;
            total += new FileInfo(Path.Combine(directory, name)).Length;
        }
        File.WriteAllText(Path.Combine(directory, "model.safetensors.index.json"), JsonSerializer.Serialize(new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = map }));
        return total;
    }

    private static string Mib(long bytes) => Invariant($"{bytes / 1048576.0:N0} MiB");
}
