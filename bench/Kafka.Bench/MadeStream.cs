using MassDpo.App.Demo;

namespace MassDpo.Kafka.Bench;

/// <summary>Simulated listeners, like LastFM's: histories of at most ten items, 20 candidates; and a policy that knows nothing of them, as the demo has.</summary>
/// <param name="Data">file of records</param>
/// <param name="HeldOut">file of records to measure on</param>
/// <param name="Policy">directory</param>
internal sealed record MadeStream(string Data, string HeldOut, string Policy)
{
    private const int Seed = 1;
    private const int HeldOutRecords = 1000;
    private const double Noise = 0.05;

    /// <param name="folder">to write in</param>
    /// <param name="records">of the stream</param>
    /// <param name="config">settings of the policy</param>
    public static async Task<MadeStream> WriteAsync(string folder, int records, string config)
    {
        var made = new MadeStream(Path.Combine(folder, "stream.jsonl"), Path.Combine(folder, "held-out.jsonl"), Path.Combine(folder, "start"));
        var items = Path.Combine(folder, "items.txt");
        var listeners = new SimulatedListeners(Seed);
        SimulatedListeners.Write(made.Data, listeners.Records("stream", records, Noise));
        SimulatedListeners.Write(made.HeldOut, listeners.Records("held-out", HeldOutRecords, noise: 0));
        await File.WriteAllLinesAsync(items, listeners.Items);
        await Child.RunAsync("massdpo sft", "sft", "--config", config, "--data", made.Data, "--items", items, "--policy", made.Policy, "--epochs", "0");
        return made;
    }
}
