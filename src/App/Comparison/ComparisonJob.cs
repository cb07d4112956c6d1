using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Verbs;
using MassDpo.Ingest.Sources;
using MassDpo.Learner;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Selection;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace MassDpo.App.Comparison;

/// <summary>
/// Sends the same records through several ways of choosing negatives, several times each, and measures the policies on their way. What a run has measured is
/// kept in OUTPUT/runs, so that a comparison that was stopped goes on where it was; the run itself is deleted.
/// </summary>
internal sealed class ComparisonJob(ComparisonRequest request, Action<string> say)
{
    private const string Marker = "comparison.json";

    /// <exception cref="UsageException">OUTPUT holds something else</exception>
    public async Task<IReadOnlyList<MeasuredRun>> RunAsync(CancellationToken stop)
    {
        Prepare();
        set_num_threads(request.Run.Threads);
        var runs = new List<MeasuredRun>();
        var records = await CountAsync(stop);
        string evaluation;
        using (var stream = File.OpenRead(request.Evaluation))
            evaluation = ContentHash.Of(stream);
        // Seed by seed, so that what is there when it is stopped can be compared already.
        for (var seed = 1; seed <= request.Comparison.Seeds; seed++)
        {
            using var start = LoadedPolicy.Load(request.PolicyOf(seed), request.Run.Policy);
            // Before the first run: an arm that cannot run is known by now.
            foreach (var arm in request.Comparison.Arms)
                OptionsOf(arm, seed).CheckFeatures(request.Run.Policy.Lora is not null || start.Weights.Lora is not null);
            var data = await EvaluationData.LoadAsync(request.Evaluation, start.Encoder, request.EvaluationOptions, stop);
            IReadOnlyList<float[]> reference = [.. Evaluator.Score(start.Scorer, start.Weights, data.Pools, request.EvaluationOptions.Batch)];
            var before = Measures.Of(Evaluator.Measure(start, start.Weights, data, reference, request.EvaluationOptions));
            var ofSeed = new MeasuredRun[request.Comparison.Arms.Count];
            var at = seed;
            await Parallel.ForAsync(0, ofSeed.Length, new ParallelOptions { MaxDegreeOfParallelism = request.Comparison.Jobs, CancellationToken = stop }, async (i, cancellation) =>
                ofSeed[i] = await RunAsync(new Start(start, data, evaluation, reference, before, records), request.Comparison.Arms[i], at, cancellation));
            runs.AddRange(ofSeed);
        }
        return runs;
    }

    // What all arms of a seed share.
    private sealed record Start(LoadedPolicy Policy, EvaluationData Data, string DataHash, IReadOnlyList<float[]> Reference, Measures Before, long Records);

    private async Task<MeasuredRun> RunAsync(Start start, Arm arm, int seed, CancellationToken stop)
    {
        var name = $"{arm.FullName.Replace(':', '-')}-seed{seed}";
        var (directory, file) = (Path.Combine(request.Output, "runs", name), Path.Combine(request.Output, "runs", name + ".json"));
        var options = OptionsOf(arm, seed);
        // The run closes it too, which does no harm.
        await using var source = new FileSource(request.Data, options.Files);
        var identity = Identity(options.Identity(start.Policy.Identity, source.Identity, start.Policy.Scoring), start.DataHash);
        if (File.Exists(file))
        {
            var kept = MeasuredRun.Read(file);
            if (kept.Identity != identity)
                throw new InvalidDataException($"{file} was measured with other data, another policy or other settings: give another --output, or delete it");
            return kept;
        }
        // A run that was stopped is not taken up: its time would be of two starts.
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
        var updates = Math.Max(1, (start.Records + options.Slots.BatchSize - 1) / options.Slots.BatchSize);
        var wanted = Enumerable.Range(1, request.Comparison.Points - 1).Select(i => (long)Math.Round((double)i * updates / request.Comparison.Points)).Where(version => version > 0).ToHashSet();
        var links = PipelineLinks.Local();
        using var snapshots = new KeptSnapshots(links.Snapshots, wanted);
        var tally = new Tally(options.Selection);
        var job = new RunJob(new RunRequest(request.PolicyOf(seed), directory, null, request.EvaluationOptions, false, options), NullLogger.Instance);
        var result = await job.RunAsync(_ => Task.FromResult(RunWiring.Embedded(links with { Snapshots = snapshots }, source)), tally.Note, tally.Note, stop);
        stop.ThrowIfCancellationRequested();
        if (result.Outcome.Counts.Applied == 0)
            throw new InvalidDataException("nothing was trained: no record of the data can be used");
        using var trained = LoadedPolicy.Load(Path.Combine(directory, "policy"), new PolicyOptions { Placement = request.Run.Policy.Placement });
        var points = snapshots.Kept.Where(kept => kept.Key < result.Outcome.Version).Select(kept => tally.At(kept.Key, Measure(start, (PolicyWeights)kept.Value.Tensors)))
            .Append(tally.At(result.Outcome.Version, Measure(start, trained.Weights))).ToList();
        var run = new MeasuredRun(identity, arm.FullName, seed, start.Before, points, result.Outcome.Version, tally.Negatives, tally.Duplicates, Quality(start, trained, options.Selection));
        await File.WriteAllTextAsync(file + ".writing", run.ToJson(), CancellationToken.None);
        File.Move(file + ".writing", file);
        Directory.Delete(directory, recursive: true);
        say(FormattableString.Invariant($"{name}: HR@1 {100 * run.Before.HitRate1:F1} → {100 * run.End.HitRate1:F1} %, reward accuracy {100 * run.End.RewardAccuracy:F1} %, {points[^1].Records:N0} records in {points[^1].Seconds:F1} s"));
        return run;
    }

    private Measures Measure(Start start, PolicyWeights weights) =>
        Measures.Of(Evaluator.Measure(start.Policy, weights, start.Data, start.Reference, request.EvaluationOptions));

    private ChoiceQuality? Quality(Start start, LoadedPolicy trained, SelectionOptions options)
    {
        var sample = start.Data.Pools.Take(request.Comparison.Sample).ToList();
        return sample.Count == 0 ? null : ChoiceQualities.Of(start.Policy, trained.Weights, start.Reference, sample, options);
    }

    private RunOptions OptionsOf(Arm arm, int seed)
    {
        var features = arm.FeaturesFrom(request.Run.Selection.Features) with { Seed = seed };
        return request.Run with
        {
            Files = request.Run.Files with { Seed = seed },
            Selection = request.Run.Selection with
            {
                Method = arm.Method,
                Seed = seed,
                Kernel = request.Run.Selection.Kernel with { Negatives = arm.Negatives },
                Features = features,
            },
            Settings = new Dictionary<string, string>(request.Run.Settings)
            {
                ["selection.method"] = arm.Method.Name(),
                ["selection.features"] = features.Kind.Name(),
                ["selection.sketch"] = FormattableString.Invariant($"{features.Sketch}"),
                ["selection.negatives"] = FormattableString.Invariant($"{arm.Negatives}"),
                ["runtime.seed"] = FormattableString.Invariant($"{seed}"),
            },
        };
    }

    // Measuring is part of what a run's file holds.
    private string Identity(Learner.Checkpoints.RunIdentity run, string evaluation)
    {
        var c = request.Comparison;
        var passes = $"{request.Run.Files.Passes} {request.Run.Files.MaxRecords} {request.Run.Slots.MaxStaleness} {c.Points} {c.Sample} {request.EvaluationOptions}";
        return ContentHash.Of(string.Join("\n", run.Values.OrderBy(value => value.Key, StringComparer.Ordinal).Select(value => $"{value.Key}={value.Value}")
            .Append(passes).Append(evaluation)));
    }

    private async Task<long> CountAsync(CancellationToken stop)
    {
        await using var source = new FileSource(request.Data, request.Run.Files with { Order = ShuffleOrder.None });
        // After a pass, or as many records as there may be, it is no estimate any more.
        await foreach (var entry in source.ReadAsync(new SettledPositions(), stop))
            if (entry is SourceEntry.PassEnd)
                break;
        return source.EstimatedRecords!.Value;
    }

    private void Prepare()
    {
        var output = request.Output;
        if (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any() && !File.Exists(Path.Combine(output, Marker)))
            throw new UsageException($"{output} holds something that no comparison wrote: give another --output");
        Directory.CreateDirectory(Path.Combine(output, "runs"));
        File.WriteAllText(Path.Combine(output, Marker), "{\"note\": \"written by massdpo compare\"}\n");
    }

    /// <summary>Counts on the learner's thread what a run costs and keeps.</summary>
    private sealed class Tally(SelectionOptions selection)
    {
        private readonly Dictionary<long, (long Records, long Forwards, double Seconds)> _at = [];
        private long _forwards;
        private long _selections;
        private long _picks;
        private long _duplicates;

        public double Negatives => (double)_picks / _selections;

        public double Duplicates => _picks == 0 ? 0 : (double)_duplicates / _picks;

        public void Note(SelectionEvent e)
        {
            _selections++;
            _picks += e.Picks.Count;
            _forwards += 3L * (e.Picks.Count + 1) + ForwardsToScore * e.Candidates.Count;
            var seen = new HashSet<string>(StringComparer.Ordinal) { e.Candidates[0].Hash };
            foreach (var pick in e.Picks)
                _duplicates += seen.Add(e.Candidates[pick.Index].Hash) ? 0 : 1;
        }

        // A way back costs two forwards, and gradients of an adapter one more, as the layers are computed again.
        private long ForwardsToScore => !selection.Method.NeedsScores() ? 0 : selection.Method.NeedsFeatures() && selection.Features.Kind == FeatureKind.Lora ? 4 : 1;

        public void Note(LearnerProgress progress, long? all) => _at[progress.Version] = (progress.Counts.Applied, _forwards, progress.Counts.Seconds);

        public MeasuredPoint At(long version, Measures measures)
        {
            var (records, forwards, seconds) = _at[version];
            return new MeasuredPoint(records, forwards, seconds, measures);
        }
    }
}
