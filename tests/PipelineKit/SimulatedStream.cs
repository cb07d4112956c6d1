using System.Text;
using System.Text.Json;
using MassDpo.App.Running;
using MassDpo.Ingest.Sources;
using MassDpo.PolicyKit;
using MassDpo.Shared.Numerics;
using MassDpo.Shared.Settings;
using MassDpo.TestKit;

namespace MassDpo.PipelineKit;

/// <summary>
/// What the simulated runs of one test class share: a policy of a few thousand parameters, and a file of 50 lines of which 45 can be trained on. Pools have
/// up to 20 candidates, some twice and some unknown.
/// </summary>
public sealed class SimulatedStream : ISimulatedStream, IDisposable
{
    public const int Lines = 50;
    public const int Bad = 5;
    public const int Passes = 2;
    public const int Batch = 8;

    private readonly TempFolder _folder = new();
    private int _outputs;

    public SimulatedStream()
    {
        var config = MadePolicy.Config(vocabulary: 40, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1, positions: 16);
        MadePolicy.Write(PolicyDirectory, config);
        Policy = LoadedPolicy.Load(PolicyDirectory);
        using var data = File.Create(Data);
        foreach (var line in Made(MadePolicy.Items(config)))
        {
            data.Write(line);
            data.WriteByte((byte)'\n');
        }
    }

    public string PolicyDirectory => _folder["policy"];

    public string Data => _folder["data.jsonl"];

    public LoadedPolicy Policy { get; }

    /// <summary>A folder that does not exist yet.</summary>
    public string NewOutput() => _folder[$"output-{Interlocked.Increment(ref _outputs)}"];

    /// <summary>The settings of all simulated runs, and more.</summary>
    public static RunOptions Options(params string[] settings) => RunOptions.From(EffectiveSettings.Load(null, [],
    [
        $"learner.batch = {Batch}", "selection.block = 3", "learner.learning-rate = 2e-2", "learner.beta = 0.5", "learner.warmup = 3", "ingest.shuffle = all",
        $"ingest.passes = {Passes}", "checkpoint.updates = 3", .. settings,
    ], []));

    public FileSource Open(RunOptions options) => new([Data], options.Files);

    public void Dispose()
    {
        Policy.Dispose();
        _folder.Dispose();
    }

    private static IEnumerable<byte[]> Made(IReadOnlyList<string> items)
    {
        var random = new StableRandom(7, 0x5EED);
        for (var i = 0; i < Lines; i++)
        {
            yield return i switch
            {
                4 => "{\"prompt\": {\"history\": [\"i1\"]}, \"chosen\""u8.ToArray(),
                11 => "{\"prompt\": {\"history\": [\"i1\"]}, \"rejected\": [\"i2\"]}"u8.ToArray(),
                23 => Line(["i1"], "nowhere", ["i2", "i3"]),
                37 => Line(["i1"], "i2", ["i2", "i2"]),
                49 => [.. "{\"id\": \""u8, 0xC3, 0x28, .. "\"}"u8],
                _ => Line(Draw(1 + random.Below(5)), items[random.Below(items.Count)], Rejected(1 + random.Below(19))),
            };
        }

        string[] Draw(int count)
        {
            var drawn = new string[count];
            for (var i = 0; i < count; i++)
                drawn[i] = items[random.Below(items.Count)];
            return drawn;
        }

        // One in ten is unknown, and drawn with replacement some come twice. Two differ and are known, so one of them is not the chosen one.
        string[] Rejected(int count)
        {
            var rejected = Draw(count + 1);
            for (var i = 2; i < rejected.Length; i++)
                if (random.Below(10) == 0)
                    rejected[i] = "unknown-" + i;
            return rejected[0] != rejected[1] ? rejected : Rejected(count);
        }

        static byte[] Line(string[] history, string chosen, string[] rejected) =>
            Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new { prompt = new { history }, chosen, rejected }));
    }
}
