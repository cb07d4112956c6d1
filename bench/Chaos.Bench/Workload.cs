using System.IO.Compression;
using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.TestKit;

namespace MassDpo.Chaos.Bench;

/// <summary>What is run: 100,000 records in several passes over one file, of which one line in forty cannot be used.</summary>
/// <param name="Name">for the results</param>
/// <param name="Data">the file</param>
/// <param name="Policy">the policy to start from</param>
/// <param name="Lines">of the file</param>
/// <param name="Passes">over it</param>
internal sealed record Workload(string Name, string Data, string Policy, int Lines, int Passes)
{
    private const int Records = 100_000;

    /// <summary>LastFM's training records where the reference data is there, else simulated listeners.</summary>
    public static async Task<Workload> PrepareAsync(string folder)
    {
        var (data, policy) = (Path.Combine(folder, "data.jsonl"), Path.Combine(folder, "start"));
        var source = SharedData.PathOf("data/rec/lastfm/train.jsonl.gz");
        if (!File.Exists(source))
        {
            const int simulated = 20_000;
            ChaosStream.Write(policy, data, simulated, hidden: 32);
            return new Workload("simulated listeners", data, policy, simulated, Records / simulated);
        }
        var lines = new List<string>();
        using (var reader = new StreamReader(new GZipStream(File.OpenRead(source), CompressionMode.Decompress)))
            while (await reader.ReadLineAsync() is { } line)
                lines.Add(line);
        ChaosStream.WriteSpoilt(data, lines);
        var ended = await Victim.RunAsync(["sft", "--data", source, "--policy", policy, "--epochs", "0", "--layers", "1", "--hidden", "32", "--heads", "4"]);
        if (ended.ExitCode != 0)
            throw new InvalidOperationException(ended.ToString());
        return new Workload("LastFM's training records", data, policy, lines.Count, Records / lines.Count);
    }

    /// <summary>The command line of a run: the recipe's batches of 32, and a commit every tenth.</summary>
    public string[] Words(string output, int staleness, int selectors) =>
    [
        "run", "--data", Data, "--policy", Policy, "--output", output, "--passes", $"{Passes}", "--shuffle", "all", "--batch", "32", "--learning-rate", "1e-3", "--beta", "1",
        "--max-staleness", $"{staleness}", "--selectors", $"{selectors}", "--set", "checkpoint.updates=10", "--set", "runtime.progress=1h",
    ];
}
