using MassDpo.App.Demo;
using MassDpo.TestKit;

namespace MassDpo.Cluster.Bench;

/// <summary>How large a policy is.</summary>
internal enum MadePolicySize
{
    /// <summary>The demo's: hidden 64 in 2 layers, some 180,000 parameters.</summary>
    Demo,

    /// <summary>Hidden 256 in 2 layers, some 1.9 million.</summary>
    Large,
}

/// <summary>What is run: simulated listeners with 20 candidates a record, on a policy that knows nothing of them, with the settings of the demo and of hocon/cluster.conf.</summary>
/// <param name="Data">file of records</param>
/// <param name="Policy">directory</param>
/// <param name="Lines">of the file</param>
/// <param name="Passes">over the data</param>
internal sealed record Run(string Data, string Policy, int Lines, int Passes)
{
    public const int Batch = 32;
    public const int MaxStaleness = 2;
    private const int Seed = 1;
    private const double Noise = 0.05;

    /// <summary>Rank of the adapter that is trained; 0: all weights are.</summary>
    public int Rank { get; init; }

    private static string Config => Path.Combine(Repository.Root, "hocon", "demo.conf");

    public long Updates => (long)Lines * Passes / Batch;

    /// <param name="folder">to write in</param>
    /// <param name="size">of the policy</param>
    /// <param name="lines">of the file</param>
    /// <param name="passes">over the data</param>
    public static async Task<Run> MakeAsync(string folder, MadePolicySize size, int lines, int passes)
    {
        var made = new Run(Path.Combine(folder, "stream.jsonl"), Path.Combine(folder, "start"), lines, passes);
        var items = Path.Combine(folder, "items.txt");
        var listeners = new SimulatedListeners(Seed);
        SimulatedListeners.Write(made.Data, listeners.Records("stream", lines, Noise));
        await File.WriteAllLinesAsync(items, listeners.Items);
        using var sft = NodeProcess.MassDpo("massdpo sft", "sft", "--config", Config, "--data", made.Data, "--items", items, "--policy", made.Policy, "--epochs", "0",
            "--hidden", size == MadePolicySize.Demo ? "64" : "256");
        await sft.EndAsync();
        return made;
    }

    /// <summary>Words that every process of a run is given: what lies in hocon/cluster.conf lies beneath a node's, and <c>run</c> is told of it.</summary>
    /// <param name="selectors">of a process that has some</param>
    public string[] Words(int selectors) =>
    [
        "--data", Data, "--policy", Policy, "--config", Config, "--passes", $"{Passes}", "--selectors", $"{selectors}", "--max-staleness", $"{MaxStaleness}", "--set", "slots.lease=10s",
        // As often as it may be: the first update after a pause is told at once.
        "--set", "runtime.progress=100ms", "--set", $"lora.rank={Rank}",
    ];

    /// <summary>A node's command line.</summary>
    /// <param name="roles">with commas between</param>
    /// <param name="port">of the node</param>
    /// <param name="seeds">ports of those by which it joins</param>
    /// <param name="output">of a learner's node</param>
    /// <param name="words">see <see cref="Words"/></param>
    public static string[] Node(string roles, int port, int[] seeds, string? output, IEnumerable<string> words) =>
    [
        "cluster", "--roles", roles, "--port", $"{port}", "--join", .. seeds.Select(seed => $"127.0.0.1:{seed}"), .. output is null ? Array.Empty<string>() : ["--output", output], .. words,
    ];
}
