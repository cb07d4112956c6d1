using System.Text.Json.Nodes;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Sft;
using MassDpo.App.Verbs;
using MassDpo.Ingest.Sources;
using MassDpo.Learner.Training;
using MassDpo.Policy.Scoring;
using MassDpo.Selection;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;
using Microsoft.Extensions.Logging.Abstractions;

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

/// <summary>One way of choosing negatives, tried on the stream.</summary>
/// <param name="Method">its name</param>
/// <param name="Directory">where its run lies</param>
/// <param name="Run">how it went</param>
/// <param name="Negatives">trained on per record, on average</param>
/// <param name="Songs">different songs among these, on average: versions of one song count once</param>
internal sealed record DemoRun(string Method, string Directory, RunResult Run, double Negatives, double Songs);

/// <summary>What the demo found.</summary>
internal sealed record DemoResult(string Directory, DemoOptions Stream, int Passes, int Negatives, EvaluationResult Before, IReadOnlyList<DemoRun> Runs, double Seconds);

/// <summary>The main job on a stream that the program makes itself, with three ways of choosing negatives side by side.</summary>
internal static class DemoJob
{
    private const string Marker = "demo.json";

    private static readonly SelectionMethod[] Methods = [SelectionMethod.Mass, SelectionMethod.Random, SelectionMethod.All];

    public static async Task<DemoResult> RunAsync(DemoRequest request, Action<string> say, Func<RunOptions, Action<Learner.LearnerProgress, long?>> progress, CancellationToken stop)
    {
        var began = TimeProvider.System.GetTimestamp();
        var settings = request.Settings;
        var (records, heldOut, noise) = DemoOptions.From(settings);
        var (sft, evaluation) = (SftJobOptions.From(settings), EvaluationOptions.From(settings));
        var options = RunOptions.From(settings);
        if (options.Trainer.Loss.IsOfPairs())
            throw settings.Outside("learner.loss", options.Trainer.Loss.Name(), "the demo trains on whole pools too: leave it at pl");
        if (options.Selection.Features.Kind == FeatureKind.Hidden)
            throw settings.Outside("selection.features", "hidden", "the demo's songs have one token each, which it cannot tell apart: set output");
        Prepare(request.Output);
        var (stream, test, start) = (Path.Combine(request.Output, "stream.jsonl"), Path.Combine(request.Output, "held-out.jsonl"), Path.Combine(request.Output, "start"));
        say($"Making a stream of {records:N0} preferences and {heldOut:N0} held-out ones …");
        var listeners = new SimulatedListeners(sft.Training.Seed);
        var rejected = listeners.Records("stream", records, noise).ToList();
        SimulatedListeners.Write(stream, rejected);
        SimulatedListeners.Write(test, listeners.Records("held-out", heldOut, noise: 0));
        var items = Path.Combine(request.Output, "items.txt");
        await File.WriteAllLinesAsync(items, listeners.Items, stop);
        await SftJob.RunAsync(new SftRequest([stream], start, items, null, sft, evaluation), _ => { }, stop);
        var byId = rejected.ToDictionary(record => record.Id, StringComparer.Ordinal);
        var runs = new List<DemoRun>();
        foreach (var method in Methods)
        {
            say($"Training with {Describe(method, options.Selection.Kernel.Negatives)} …");
            var directory = Path.Combine(request.Output, method.Name());
            var ofMethod = options with
            {
                Selection = options.Selection with { Method = method },
                Settings = new Dictionary<string, string>(options.Settings) { ["selection.method"] = method.Name() },
            };
            var (negatives, songs, selections) = (0L, 0L, 0L);
            var job = new RunJob(new RunRequest(start, directory, test, evaluation, false, ofMethod), NullLogger.Instance);
            var run = await job.RunAsync(() => new FileSource([stream], ofMethod.Files), progress(ofMethod), Count, stop);
            // One that was stopped is not measured: there is nothing to report.
            stop.ThrowIfCancellationRequested();
            runs.Add(new DemoRun(method.Name(), directory, run, (double)negatives / selections, (double)songs / selections));

            void Count(SelectionEvent e)
            {
                selections++;
                negatives += e.Picks.Count;
                songs += e.Picks.Select(pick => SimulatedListeners.SongOf(byId[e.Id].Rejected[pick.Index - 1])).Distinct(StringComparer.Ordinal).Count();
            }
        }
        var result = new DemoResult(request.Output, new DemoOptions(records, heldOut, noise), options.Files.Passes, options.Selection.Kernel.Negatives, runs[0].Run.Before!, runs,
            TimeProvider.System.GetElapsedTime(began).TotalSeconds);
        await File.WriteAllTextAsync(Path.Combine(request.Output, "report.json"), RunReport.Text(ToJson(result)), CancellationToken.None);
        return result;
    }

    /// <summary>A method in words.</summary>
    public static string Describe(SelectionMethod method, int negatives) => method switch
    {
        SelectionMethod.All => "the full pool",
        _ => $"{method.Name()}, {negatives} negatives",
    };

    // Only what an earlier demo wrote is deleted.
    private static void Prepare(string output)
    {
        if (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())
        {
            if (!File.Exists(Path.Combine(output, Marker)))
                throw new UsageException($"{output} holds something that no demo wrote: give another --output");
            Directory.Delete(output, recursive: true);
        }
        Directory.CreateDirectory(output);
        File.WriteAllText(Path.Combine(output, Marker), "{\"note\": \"written by massdpo demo; the next one deletes this folder\"}\n");
    }

    private static JsonObject ToJson(DemoResult result) => new()
    {
        ["v"] = 1,
        ["simulated"] = true,
        ["records"] = result.Stream.Records,
        ["held_out"] = result.Stream.HeldOut,
        ["noise"] = result.Stream.Noise,
        ["passes"] = result.Passes,
        ["before"] = result.Before.ToJson(),
        ["runs"] = new JsonObject(result.Runs.Select(run => KeyValuePair.Create(run.Method, (JsonNode?)new JsonObject
        {
            ["after"] = run.Run.After?.ToJson(),
            ["negatives"] = run.Negatives,
            ["songs"] = run.Songs,
            ["records_per_s"] = run.Run.Report["records_per_s"]!.DeepClone(),
            ["output"] = run.Directory,
        }))),
        ["seconds"] = Math.Round(result.Seconds, 1),
    };
}
