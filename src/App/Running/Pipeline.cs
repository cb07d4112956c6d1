using System.Text.Json.Nodes;
using MassDpo.Ingest;
using MassDpo.Ingest.Records;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Training;
using MassDpo.Policy.Model;
using MassDpo.Selection;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.App.Running;

/// <summary>
/// The embedded product: one intake, some selectors and the learner on one host, joined by links.
/// </summary>
public sealed class Pipeline
{
    private readonly TaskCompletionSource<LearnerOutcome> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ActorHost _host;
    private readonly IActorRef<LearnerMessage> _learner;

    /// <summary>Spawns the actors; they begin at once. The caller stops the host.</summary>
    public Pipeline(ActorHost host, PipelineLinks links, LoadedPolicy policy, IRecordSource source, RunDirectory directory, RunOptions options,
        bool continueWithChanges, Action<LearnerProgress> progress, Action<SelectionEvent> tap, Func<PolicyWeights, JsonObject>? evaluate = null)
    {
        _host = host;
        var (control, pools, selections, snapshots) = links;
        var slots = options.Slots;
        var learnerOptions = new LearnerOptions(slots, options.Identity(policy.Identity, source.Identity, policy.Scoring), continueWithChanges,
            options.CheckpointUpdates, options.CheckpointsKept, options.MetricsWindow) { Logs = options.Logs, EvaluateEvery = options.EvaluateEvery };
        var parts = new LearnerParts(directory, policy.Directory, () => new PolicyTrainer(policy.Model, policy.Found, options.Trainer), control, selections,
            snapshots, tap, progress, outcome => _ended.TrySetResult(outcome)) { Evaluate = evaluate };
        // Data mailboxes hold at least all open slots, so that nobody who sends them can wait for one who waits for it.
        var open = (slots.MaxStaleness + 1) * slots.BatchSize;
        _learner = host.Spawn<LearnerMessage>("learner", context => new LearnerActor(context, parts, learnerOptions),
            new ActorOptions { Dispatch = Dispatch.OwnThread, MailboxCapacity = Math.Max(256, open) });
        var cache = new ReferenceCache(options.ReferenceCacheBytes);
        for (var i = 1; i <= options.Selectors; i++)
        {
            var selector = new SelectorOptions($"selector-{i}", slots.MaxStaleness, options.Trainer.Reference.Schedule, slots.Lease / 3);
            host.Spawn<SelectorMessage>(selector.Name, context => new SelectorActor(context,
                new SelectionEngine(policy.Scorer, policy.Found, cache, options.Selection, host.Clock), control, pools, selections, snapshots, selector),
                new ActorOptions { Dispatch = Dispatch.OwnThread });
        }
        var validator = new RecordValidator(policy.Encoder, options.Duplicates, options.Files.MaxRecordBytes);
        host.Spawn<IngestMessage>("ingest", context => new IngestActor(context, source, validator, control, pools, new IngestOptions("ingest", options.Window)));
    }

    /// <summary>How the run ended.</summary>
    /// <exception cref="Exception">the reason for which the host gave up</exception>
    public async Task<LearnerOutcome> EndAsync()
    {
        await await Task.WhenAny(_ended.Task, _host.Failure);
        return await _ended.Task;
    }

    /// <summary>Whether the run has ended by itself or as asked to.</summary>
    public bool HasEnded => _ended.Task.IsCompleted;

    /// <summary>Asks for a checkpoint and an orderly end.</summary>
    public void Stop() => _learner.Post(new LearnerMessage.Stop());
}
