using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.App.Running;

/// <summary>
/// The embedded product: one intake, some selectors and the learner on one host, joined by links.
/// </summary>
public sealed class Pipeline
{
    private readonly LearnerRole _learner;

    /// <summary>Spawns the actors; they begin at once. The caller stops the host.</summary>
    public Pipeline(ActorHost host, PipelineLinks links, LoadedPolicy policy, IRecordSource source, RunDirectory directory, RunOptions options,
        bool continueWithChanges, Action<LearnerProgress> progress, Action<SelectionEvent> tap)
    {
        _learner = new LearnerRole(host, links, policy, source.Identity, directory, options, new LearnerSeams(progress, tap, continueWithChanges));
        SelectorRole.Spawn(host, links, policy, source, options);
    }

    /// <summary>How the run ended.</summary>
    /// <exception cref="Exception">the reason for which the host gave up</exception>
    public Task<LearnerOutcome> EndAsync() => _learner.EndAsync();

    /// <summary>Whether the run has ended by itself or as asked to.</summary>
    public bool HasEnded => _learner.HasEnded;

    /// <summary>Asks for a checkpoint and an orderly end.</summary>
    public void Stop() => _learner.Stop();
}
