using System.Text.Json.Nodes;
using MassDpo.App.Evaluation;
using MassDpo.App.Watching;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Policy;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Sources;
using Microsoft.Extensions.Logging;
using static TorchSharp.torch;

namespace MassDpo.App.Running;

/// <summary>What a run is given.</summary>
/// <param name="Policy">directory of the policy to start from, which is also the reference</param>
/// <param name="Output">directory that the run writes</param>
/// <param name="Evaluation">file to measure the policy on before and after; null: none</param>
/// <param name="EvaluationOptions">how</param>
/// <param name="ContinueWithChanges">whether a resume with other settings is let through</param>
/// <param name="Options">everything else</param>
public sealed record RunRequest(string Policy, string Output, string? Evaluation, EvaluationOptions EvaluationOptions, bool ContinueWithChanges, RunOptions Options)
{
    /// <summary>Whether the run is claimed though another learner claimed it, or wrote newer checkpoints.</summary>
    public bool ForceClaim { get; init; }

    /// <summary>How it lets itself be watched; null: not.</summary>
    public WatchOptions? Watch { get; init; }
}

/// <summary>How a run ended, with what its report holds.</summary>
public sealed record RunResult(LearnerOutcome Outcome, JsonObject Report, EvaluationResult? Before, EvaluationResult? After);

/// <summary>The main job from beginning to end: loads, measures, runs the pipeline, measures again, reports.</summary>
/// <param name="request">what to run</param>
/// <param name="logger">of warnings and failures</param>
/// <param name="files">what the output directory is written through; null: the real file system</param>
public sealed class RunJob(RunRequest request, ILogger logger, IFiles? files = null)
{
    private ActorHost? _host;

    /// <summary>Makes the host of the run's actors, which ends with the run; by default they run in this process alone.</summary>
    public Func<ActorHost> NewHost { get; init; } = () => new LocalHost(TimeProvider.System, logger);

    /// <summary>The policy of the request, where others of this process have loaded it, who dispose it; null: the job loads it for itself.</summary>
    public LoadedPolicy? Policy { get; init; }

    /// <summary>The cluster that it runs in, for the report; null: none.</summary>
    public Func<JsonObject>? Cluster { get; init; }

    /// <summary>How the run's actors stand; before it has begun, that it has not.</summary>
    public HostHealth Health => Volatile.Read(ref _host)?.Health ?? HostHealth.NotBegun;

    /// <summary>Runs until the input has ended or <paramref name="stop"/> asks for an orderly end.</summary>
    /// <param name="open">makes the source of the records</param>
    /// <param name="progress">told of every update, with the source's estimate of all records</param>
    /// <param name="tap">told of every selection that was applied</param>
    /// <param name="stop">see above</param>
    public async Task<RunResult> RunAsync(Func<IRecordSource> open, Action<LearnerProgress, long?> progress, Action<SelectionEvent> tap, CancellationToken stop)
    {
        using var links = PipelineLinks.Local();
        return await RunAsync(_ => Task.FromResult(RunWiring.Embedded(links, open())), progress, tap, stop);
    }

    /// <summary>The same, joined to the rest of its run by what the caller makes for the policy.</summary>
    internal async Task<RunResult> RunAsync(Func<LoadedPolicy, Task<RunWiring>> wire, Action<LearnerProgress, long?> progress, Action<SelectionEvent> tap,
        CancellationToken stop)
    {
        var options = request.Options;
        // What watches it stays until all is done, the host's actors among it.
        await using var host = NewHost();
        Volatile.Write(ref _host, host);
        await using var watch = request.Watch is { } how ? await ProcessWatch.StartAsync(how, host, logger) : null;
        set_num_threads(options.Threads);
        using var own = Policy is null ? LoadedPolicy.Load(request.Policy, options.Policy) : null;
        var policy = Policy ?? own!;
        options.CheckFeatures(policy.Weights.Lora is not null);
        using var directory = RunDirectory.Open(request.Output, files ?? PhysicalFiles.Instance);
        CheckPlaceOfResult(directory);
        foreach (var warning in options.Warnings)
            logger.LogWarning("{Warning}", warning);
        await using var wiring = await wire(policy);
        using var cache = wiring.Source is null ? null : SelectorRole.OpenCache(policy, options, directory.Files, logger);
        wiring.Attach(host);
        var (evaluation, reference) = await LoadEvaluationAsync(policy, stop);
        var before = evaluation is null ? null : Evaluator.Measure(policy, policy.Weights, evaluation, reference, request.EvaluationOptions);
        var inputs = RunInputs.Of(request.Policy, wiring, options);
        var noted = false;
        LearnerOutcome outcome;
        try
        {
            var learner = new LearnerRole(host, wiring.Links, policy, wiring.Data, directory, options, new LearnerSeams(Progress, tap, request.ContinueWithChanges, request.ForceClaim,
                evaluation is null ? null : weights => Evaluator.Measure(policy, weights, evaluation, reference, request.EvaluationOptions).ToJson()) { NewOutcomes = wiring.NewOutcomes });
            if (wiring.Source is { } source)
                SelectorRole.Spawn(host, wiring.Links, policy, cache!, source, options, wiring.Process);
            await using var _ = stop.Register(learner.Stop);
            outcome = await learner.EndAsync();
        }
        finally
        {
            await host.StopAsync();
        }
        NoteInputs();
        EvaluationResult? after = null;
        if (evaluation is not null && !outcome.Stopped)
        {
            using var trained = policy.LoadResult(directory.Policy);
            after = Evaluator.Measure(policy, trained, evaluation, reference, request.EvaluationOptions);
        }
        var report = RunReport.Of(options, outcome, before, after, cache?.Use);
        if (Cluster is not null)
            report["cluster"] = Cluster();
        RunReport.Write(directory, directory.Report, report);
        return new RunResult(outcome, report, before, after);

        void Progress(LearnerProgress update)
        {
            NoteInputs();
            progress(update, wiring.Source?.EstimatedRecords);
        }

        // Only now is it known that the learner goes on with them: a resume that it refuses leaves those that the logs were made with.
        void NoteInputs()
        {
            if (!noted)
                inputs.Write(directory);
            noted = true;
        }
    }

    // What a run replaces at its end is the policy that it wrote before, never another one.
    private void CheckPlaceOfResult(RunDirectory directory)
    {
        if (RunInputs.IsSamePlace(directory.Policy, request.Policy))
            throw new InvalidDataException($"{request.Policy} is where a run in {request.Output} writes its result, which would replace the policy that it starts from: give another --output");
        PolicyDirectory.CheckReplaceable(directory.Policy);
        if (directory.Files.FolderExists(directory.Policy) && directory.Files.List(directory.Checkpoints).Count == 0)
            throw new InvalidDataException($"{directory.Policy} holds a policy that no run wrote, and a run would replace it: move it, or give another --output");
    }

    private async Task<(EvaluationData?, IReadOnlyList<float[]>?)> LoadEvaluationAsync(LoadedPolicy policy, CancellationToken cancellation)
    {
        if (request.Evaluation is null)
            return (null, null);
        var data = await EvaluationData.LoadAsync(request.Evaluation, policy.Encoder, request.EvaluationOptions, cancellation);
        return (data, [.. Evaluator.Score(policy.Scorer, policy.Weights, data.Pools, request.EvaluationOptions.Batch)]);
    }
}
