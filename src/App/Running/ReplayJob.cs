using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Audit.Replay;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Settings;
using static TorchSharp.torch;

namespace MassDpo.App.Running;

/// <summary>Rebuilds the policy of a run from its logs.</summary>
public static class ReplayJob
{
    /// <summary>Replays the run in <paramref name="run"/> and writes the policy to <paramref name="output"/>.</summary>
    /// <exception cref="InvalidDataException">the directory holds no run, or its inputs are gone or changed</exception>
    /// <exception cref="ReplayException">logs, records and weights do not agree</exception>
    public static async Task<ReplayResult> RunAsync(string run, string output, Action<UpdateEntry> progress, CancellationToken cancellation)
    {
        PolicyDirectory.CheckReplaceable(output);
        using var directory = RunDirectory.Open(run, PhysicalFiles.Instance);
        var (policyDirectory, data, options) = ReadInputs(run);
        set_num_threads(options.Threads);
        using var policy = LoadedPolicy.Load(policyDirectory);
        await using var source = new FileSource(data, options.Files);
        CheckIdentity(directory, options.Identity(policy.Weights.ComputeHash(), source.Identity));
        using var trainer = new PolicyTrainer(policy.Model, policy.Weights, options.Trainer);
        await using var target = new Target(source, new RecordValidator(policy.Encoder, options.Duplicates, options.Files.MaxRecordBytes), trainer);
        var result = await new Replayer(directory.Updates, directory.Selections).RunAsync(target, progress, cancellation);
        PolicyDirectory.SaveLike(policyDirectory, output, PhysicalFiles.Instance, trainer.Weights);
        return result;
    }

    private static (string Policy, string[] Data, RunOptions Options) ReadInputs(string run)
    {
        var file = Path.Combine(run, RunJob.Inputs);
        if (!File.Exists(file))
            throw new InvalidDataException($"{run} holds no run: {RunJob.Inputs} is absent");
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(file))!;
            if (json["data"] is not JsonArray data)
                throw new InvalidDataException($"{file}: the records of this run did not come from files, so it can only be replayed by the program that made them");
            var settings = json["settings"]!.AsObject().Select(setting => (setting.Key, setting.Value!.GetValue<string>(), file));
            return (json["policy"]!.GetValue<string>(), [.. data.Select(path => path!.GetValue<string>())], RunOptions.From(EffectiveSettings.Load(null, [], [], settings)));
        }
        catch (Exception e) when (e is JsonException or NullReferenceException or InvalidOperationException)
        {
            throw new InvalidDataException($"{file} is malformed: {e.Message}", e);
        }
    }

    private static void CheckIdentity(RunDirectory directory, RunIdentity now)
    {
        var store = new CheckpointStore(directory.Checkpoints, directory.Files, keep: 2);
        using var newest = store.LoadNewest((_, _) => { });
        var differences = newest?.State.Identity.DifferencesTo(now) ?? [];
        if (differences.Count > 0)
            throw new InvalidDataException($"this is not what {directory.Root} was made with: {string.Join("; ", differences)}");
    }

    private sealed class Target(IRecordSource source, RecordValidator validator, PolicyTrainer trainer) : IReplayTarget, IAsyncDisposable
    {
        // Records read on the way to another: dead ones, and those that the log has in another order than the source.
        private readonly Dictionary<Position, CandidatePool> _passed = [];
        private IAsyncEnumerator<SourceEntry>? _entries;

        public async ValueTask<CandidatePool> FindAsync(Position position, CancellationToken cancellation)
        {
            if (_passed.Remove(position, out var passed))
                return passed;
            _entries ??= source.ReadAsync(new Position(source.Name, 0, 0), cancellation).GetAsyncEnumerator(cancellation);
            while (await _entries.MoveNextAsync())
            {
                if (_entries.Current is SourceEntry.PassEnd)
                    continue;
                var (pool, dead) = validator.Validate(_entries.Current);
                if (_entries.Current.Position == position)
                    return pool ?? throw new ReplayException($"the record at {position} was trained on, but is none now: {dead!.Reason}");
                if (pool is not null)
                    _passed[pool.Position] = pool;
            }
            throw new ReplayException($"the data has no record at {position}, which was trained on");
        }

        public double? Train(IReadOnlyList<Shared.Contracts.Selection?> batch) => trainer.Update(batch).Loss;

        public string Hash() => trainer.Weights.ComputeHash();

        public ValueTask DisposeAsync() => _entries?.DisposeAsync() ?? ValueTask.CompletedTask;
    }
}
