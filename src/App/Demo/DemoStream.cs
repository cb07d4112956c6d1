using MassDpo.App.Evaluation;
using MassDpo.App.Sft;
using MassDpo.App.Verbs;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Demo;

/// <summary>The demo's stream.</summary>
/// <param name="Records">of the stream</param>
/// <param name="HeldOut">records to measure on</param>
/// <param name="Noise">share of wrong labels</param>
internal sealed record DemoOptions(int Records, int HeldOut, double Noise)
{
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static DemoOptions From(EffectiveSettings settings) =>
        new(settings.Integer("demo.records", 64, 10_000_000), settings.Integer("demo.held-out", 10, 1_000_000), settings.Number("demo.noise", 0, 0.5));
}

/// <summary>What the demo is set to.</summary>
/// <param name="Output">directory that it writes; one that another demo wrote is begun anew</param>
/// <param name="Settings">with the demo's recipe</param>
internal sealed record DemoRequest(string Output, EffectiveSettings Settings);

/// <summary>What a demo begins with, on disk: a stream of records, others to measure on, and a policy that knows nothing.</summary>
/// <param name="Directory">that the demo writes</param>
/// <param name="Options">of the stream</param>
/// <param name="Records">of the stream, in order</param>
internal sealed record DemoStream(string Directory, DemoOptions Options, IReadOnlyList<SimulatedRecord> Records)
{
    private const string Marker = "demo.json";

    /// <summary>File of the stream.</summary>
    public string Data => Path.Combine(Directory, "stream.jsonl");

    /// <summary>File of the records to measure on, with right labels.</summary>
    public string HeldOut => Path.Combine(Directory, "held-out.jsonl");

    /// <summary>Directory of the policy.</summary>
    public string Start => Path.Combine(Directory, "start");

    /// <summary>Makes all of it, in a directory begun anew.</summary>
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed, outside its range, or of no use here</exception>
    /// <exception cref="UsageException">the directory holds something that no demo wrote</exception>
    public static async Task<DemoStream> MakeAsync(DemoRequest request, Action<string> say, CancellationToken stop)
    {
        var settings = request.Settings;
        var options = DemoOptions.From(settings);
        var (sft, evaluation) = (SftJobOptions.From(settings), EvaluationOptions.From(settings));
        if (settings.Choice("selection.features", FeatureKinds.ByName) == FeatureKind.Hidden)
            throw settings.Outside("selection.features", "hidden", "the demo's songs have one token each, which it cannot tell apart: set output");
        Prepare(request.Output);
        say($"Making a stream of {options.Records:N0} preferences and {options.HeldOut:N0} held-out ones …");
        var listeners = new SimulatedListeners(sft.Training.Seed);
        var stream = new DemoStream(request.Output, options, [.. listeners.Records("stream", options.Records, options.Noise)]);
        SimulatedListeners.Write(stream.Data, stream.Records);
        SimulatedListeners.Write(stream.HeldOut, listeners.Records("held-out", options.HeldOut, noise: 0));
        var items = Path.Combine(request.Output, "items.txt");
        await File.WriteAllLinesAsync(items, listeners.Items, stop);
        await SftJob.RunAsync(new SftRequest([stream.Data], stream.Start, items, null, sft, evaluation), _ => { }, stop);
        return stream;
    }

    // Only what an earlier demo wrote is deleted.
    private static void Prepare(string output)
    {
        if (System.IO.Directory.Exists(output) && System.IO.Directory.EnumerateFileSystemEntries(output).Any())
        {
            if (!File.Exists(Path.Combine(output, Marker)))
                throw new UsageException($"{output} holds something that no demo wrote: give another --output");
            System.IO.Directory.Delete(output, recursive: true);
        }
        System.IO.Directory.CreateDirectory(output);
        File.WriteAllText(Path.Combine(output, Marker), "{\"note\": \"written by massdpo demo; the next one deletes this folder\"}\n");
    }
}
