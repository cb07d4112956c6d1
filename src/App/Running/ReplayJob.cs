using MassDpo.Audit.Replay;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Input;
using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;
using MassDpo.Shared.Sources;
using static TorchSharp.torch;

namespace MassDpo.App.Running;

/// <summary>Rebuilds the policy of a run from its logs.</summary>
public static class ReplayJob
{
    /// <summary>Replays the run in <paramref name="run"/> and writes the policy to <paramref name="output"/>.</summary>
    /// <param name="run">output directory of a run</param>
    /// <param name="output">directory to write</param>
    /// <param name="over">puts settings over those of the run; one that changes results is refused</param>
    /// <param name="note">told of what is not as it should be</param>
    /// <param name="progress">told of each update</param>
    /// <param name="cancellation">ends it</param>
    /// <exception cref="InvalidDataException">the directory holds no run, or its inputs are gone or changed</exception>
    /// <exception cref="ReplayException">logs, records and weights do not agree</exception>
    public static async Task<ReplayResult> RunAsync(string run, string output, Func<HoconDocument, EffectiveSettings> over, Action<string> note,
        Action<UpdateEntry> progress, CancellationToken cancellation)
    {
        PolicyDirectory.CheckReplaceable(output);
        // Before the directory is opened, which would make one that holds no run into a run's.
        var inputs = RunInputs.Read(run);
        if (inputs.Data is null && inputs.Topic is null)
            throw new InvalidDataException($"the records of {run} did not come from files or a topic, so it can only be replayed by the program that made them");
        var settings = over(inputs.ToSettings());
        var options = RunOptions.From(settings);
        using var directory = RunDirectory.Open(run, PhysicalFiles.Instance);
        if (RunInputs.IsSamePlace(output, inputs.Policy) || RunInputs.IsSamePlace(output, directory.Policy))
            throw new InvalidDataException($"{output} is a policy of the run itself: give another --output");
        set_num_threads(options.Threads);
        using var policy = LoadedPolicy.Load(inputs.Policy, options.Policy);
        options.CheckFeatures(policy.Weights.Lora is not null);
        await using var source = Open(inputs, settings, options);
        CheckIdentity(directory, options.Identity(policy.Identity, source.Identity, policy.Scoring), note);
        using var trainer = new PolicyTrainer(policy.Model, policy.Weights, options.Trainer);
        var validator = new RecordValidator(policy.Encoder, options.Duplicates, options.Files.MaxRecordBytes);
        var (from, settled) = Begin(directory, trainer, note);
        await using var target = new Target(source, validator, trainer, settled);
        var result = await new Replayer(directory.Updates, directory.Selections, from).RunAsync(target, progress, cancellation);
        PolicyDirectory.SaveLike(policy.Origin, output, PhysicalFiles.Instance, trainer.Weights);
        return result;
    }

    private static IRecordSource Open(RunInputs inputs, EffectiveSettings settings, RunOptions options) => inputs.Topic is { } topic
        ? new TopicArchive(KafkaOptions.From(settings), topic, options.Files.MaxRecordBytes)
        : new FileSource(inputs.Data!, options.Files);

    // Where retention has taken the beginning of the logs, a checkpoint stands in for it.
    private static (long From, SettledPositions Settled) Begin(RunDirectory directory, PolicyTrainer trainer, Action<string> note)
    {
        var from = new[] { directory.Updates, directory.Selections }.Max(log => LogSegments.In(directory.Files, log).FirstOrDefault());
        if (from == 0)
            return (0, new SettledPositions());
        var store = new CheckpointStore(directory.Checkpoints, directory.Files, keep: 2);
        foreach (var name in store.List().Where(name => name.Version == from))
        {
            using var checkpoint = store.Load(name);
            trainer.Restore(checkpoint.Weights, checkpoint.Optimizer, checkpoint.State.OptimizerSteps, checkpoint.Reference);
            note($"the logs begin at version {from}: replayed from checkpoint {name}");
            return (from, checkpoint.State.Settled);
        }
        throw new InvalidDataException($"the logs of {directory.Root} begin at version {from}, and no checkpoint of it is there to begin from");
    }

    private static void CheckIdentity(RunDirectory directory, RunIdentity now, Action<string> note)
    {
        var store = new CheckpointStore(directory.Checkpoints, directory.Files, keep: 2);
        using var newest = store.LoadNewest((name, reason) => note($"checkpoint {name} is damaged and was set aside: {reason}"));
        var differences = newest?.State.Identity.DifferencesTo(now) ?? [];
        if (differences.Count > 0)
            throw new InvalidDataException($"this is not what {directory.Root} was made with: {string.Join("; ", differences)}");
    }

    private sealed class Target(IRecordSource source, RecordValidator validator, PolicyTrainer trainer, SettledPositions settled) : IReplayTarget, IAsyncDisposable
    {
        // Records read on the way to another: dead ones, and those that the log has in another order than the source.
        private readonly Dictionary<Position, CandidatePool> _passed = [];
        private IAsyncEnumerator<SourceEntry>? _entries;

        public async ValueTask<CandidatePool> FindAsync(Position position, CancellationToken cancellation)
        {
            if (_passed.Remove(position, out var passed))
                return passed;
            _entries ??= source.ReadAsync(new SettledPositions(), cancellation).GetAsyncEnumerator(cancellation);
            while (await _entries.MoveNextAsync())
            {
                if (_entries.Current is SourceEntry.PassEnd || settled.Contains(_entries.Current.Position))
                    continue;
                var (pool, dead) = validator.Validate(_entries.Current);
                if (_entries.Current.Position == position)
                    return pool ?? throw new ReplayException($"the record at {position} was trained on, but is none now: {dead!.Reason}");
                if (pool is not null)
                    _passed[pool.Position] = pool;
            }
            throw new ReplayException($"the data has no record at {position}, which was trained on");
        }

        public string? ReferenceHash => trainer.Reference.Hash;

        public ReplayedUpdate Train(long version, IReadOnlyList<Shared.Contracts.Selection?> batch)
        {
            var update = trainer.Update(batch);
            trainer.Reference.Refresh(version, trainer.Weights);
            return new ReplayedUpdate(update.Loss, update.LearningRate);
        }

        public string Hash() => trainer.Weights.ComputeHash();

        public ValueTask DisposeAsync() => _entries?.DisposeAsync() ?? ValueTask.CompletedTask;
    }
}
