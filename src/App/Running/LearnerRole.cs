using System.Text.Json.Nodes;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Training;
using MassDpo.Policy.Devices;
using MassDpo.Policy.Model;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.App.Running;

/// <summary>The learner of a run.</summary>
internal sealed class LearnerRole
{
    private readonly TaskCompletionSource<LearnerOutcome> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ActorHost _host;
    private readonly IActorRef<LearnerMessage> _learner;

    /// <summary>Spawns the actor; it begins at once. The caller stops the host.</summary>
    /// <param name="host">runs it</param>
    /// <param name="links">join it to intakes and selectors</param>
    /// <param name="policy">as the run found it</param>
    /// <param name="data">what the records are: a resume on others is refused</param>
    /// <param name="directory">that it writes</param>
    /// <param name="options">of the run</param>
    /// <param name="parts">what is told of it, by whom it is measured</param>
    public LearnerRole(ActorHost host, PipelineLinks links, LoadedPolicy policy, string data, RunDirectory directory, RunOptions options, LearnerSeams parts)
    {
        _host = host;
        var slots = options.Slots;
        var learnerOptions = new LearnerOptions(slots, options.Identity(policy.Identity, data, policy.Scoring), parts.ContinueWithChanges,
            options.CheckpointUpdates, options.CheckpointsKept, options.MetricsWindow) { Logs = options.Logs, EvaluateEvery = options.EvaluateEvery, ForceClaim = parts.ForceClaim };
        var learnerParts = new LearnerParts(directory, policy.Origin, () => new PolicyTrainer(policy.Model, policy.Found, options.Trainer), links.Control, links.Selections,
            links.Snapshots, parts.Tap, parts.Progress, outcome => _ended.TrySetResult(outcome)) { Evaluate = parts.Evaluate, NewOutcomes = parts.NewOutcomes };
        // Data mailboxes hold at least all open slots, so that nobody who sends them can wait for one who waits for it.
        var open = (slots.MaxStaleness + 1) * slots.BatchSize;
        _learner = host.Spawn<LearnerMessage>("learner", context =>
            {
                ComputeStream.Take(policy.Weights.Device);
                return new LearnerActor(context, learnerParts, learnerOptions);
            },
            new ActorOptions { Dispatch = Dispatch.OwnThread, MailboxCapacity = Math.Max(256, open) });
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

/// <summary>What a learner is joined to besides its links.</summary>
/// <param name="Progress">gets every update</param>
/// <param name="Tap">gets every selection that was applied; must not block for long</param>
/// <param name="ContinueWithChanges">whether a resume with other settings is let through</param>
/// <param name="ForceClaim">whether the run is claimed though another learner claimed it</param>
/// <param name="Evaluate">measures a version of the policy; null: it is not measured</param>
internal sealed record LearnerSeams(Action<LearnerProgress> Progress, Action<SelectionEvent> Tap, bool ContinueWithChanges = false, bool ForceClaim = false,
    Func<PolicyWeights, JsonObject>? Evaluate = null)
{
    /// <summary>Where it tells outcomes beside its logs.</summary>
    public Func<IOutcomeSink> NewOutcomes { get; init; } = () => NoOutcomes.Instance;
}
