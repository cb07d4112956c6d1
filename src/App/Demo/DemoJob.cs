using System.Text.Json.Nodes;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.Ingest.Sources;
using MassDpo.Learner.Training;
using MassDpo.Selection;
using MassDpo.Shared.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.App.Demo;

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
    private static readonly SelectionMethod[] Methods = [SelectionMethod.Mass, SelectionMethod.Random, SelectionMethod.All];

    public static async Task<DemoResult> RunAsync(DemoRequest request, Action<string> say, Func<RunOptions, Action<Learner.LearnerProgress, long?>> progress, CancellationToken stop)
    {
        var began = TimeProvider.System.GetTimestamp();
        var settings = request.Settings;
        var evaluation = EvaluationOptions.From(settings);
        var options = RunOptions.From(settings);
        if (options.Trainer.Loss.IsOfPairs())
            throw settings.Outside("learner.loss", options.Trainer.Loss.Name(), "the demo trains on whole pools too: leave it at pl");
        var stream = await DemoStream.MakeAsync(request, say, stop);
        var byId = stream.Records.ToDictionary(record => record.Id, StringComparer.Ordinal);
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
            var job = new RunJob(new RunRequest(stream.Start, directory, stream.HeldOut, evaluation, false, ofMethod), NullLogger.Instance);
            var run = await job.RunAsync(() => new FileSource([stream.Data], ofMethod.Files), progress(ofMethod), Count, stop);
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
        var result = new DemoResult(request.Output, stream.Options, options.Files.Passes, options.Selection.Kernel.Negatives, runs[0].Run.Before!, runs,
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
