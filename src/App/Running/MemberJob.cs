using MassDpo.Learner.Checkpoints;
using MassDpo.Policy.Encoding;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Files;
using MassDpo.Shared.Links;
using Microsoft.Extensions.Logging;

namespace MassDpo.App.Running;

/// <summary>How the part of a member in its run ended.</summary>
internal enum MemberEnd
{
    /// <summary>It was asked to stop; others go on.</summary>
    Stopped,
    /// <summary>The learner has had all the input that there is.</summary>
    InputEnded,
}

/// <summary>What a member that is not the learner knows of the policy that the run started from.</summary>
/// <param name="Encoder">reads records</param>
/// <param name="Identity">what it is</param>
/// <param name="Scoring">how it is scored here</param>
/// <param name="Loaded">the policy itself; null: this member has no selectors</param>
internal sealed record MemberPolicy(RecordEncoder Encoder, string Identity, string Scoring, LoadedPolicy? Loaded)
{
    public static MemberPolicy Of(LoadedPolicy policy) => new(policy.Encoder, policy.Identity, policy.Scoring, policy);
}

/// <summary>
/// The part of a member that is not the learner, from its first actor to its last: reads and selects as long as there is a learner and records, waits while there is none, and
/// gives its part of the input back when it is asked to stop. It has selectors where it has the policy, and an intake where it has a source.
/// </summary>
/// <param name="options">of the run; what its results depend on must be what the learner has</param>
/// <param name="logger">of warnings and failures</param>
internal sealed class MemberJob(RunOptions options, ILogger logger)
{
    private readonly TaskCompletionSource<MemberEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // Completed while there is no learner.
    private volatile TaskCompletionSource _noLearner = Gone();

    /// <summary>Runs until the input has ended or <paramref name="stop"/> asks for an orderly end; then the host has stopped.</summary>
    /// <param name="host">of its actors</param>
    /// <param name="policy">that the run started from</param>
    /// <param name="wiring">joins it to the rest of its run</param>
    /// <param name="note">told of every epoch</param>
    /// <param name="stop">see above</param>
    /// <exception cref="InvalidDataException">the learner's run is set to something else, or its policy is another</exception>
    public async Task<MemberEnd> RunAsync(ActorHost host, MemberPolicy policy, RunWiring wiring, Action<string> note, CancellationToken stop)
    {
        using var cache = policy.Loaded is null ? null : SelectorRole.OpenCache(policy.Loaded, options, PhysicalFiles.Instance, logger);
        wiring.Attach(host);
        try
        {
            var own = options.Identity(policy.Identity, wiring.Data, policy.Scoring);
            using var member = wiring.Links.Control.Join(wiring.Process + "process", notice => Hear(notice, own, host, note));
            if (policy.Loaded is { } loaded)
                SelectorRole.SpawnSelectors(host, wiring.Links, loaded, cache!, options, wiring.Process);
            if (wiring.Source is { } source)
                SelectorRole.SpawnIntake(host, wiring.Links, policy.Encoder, source, options, wiring.Process, wiring.TakesOver);
            await using var _ = stop.Register(() => _end.TrySetResult(MemberEnd.Stopped));
            await await Task.WhenAny(_end.Task, host.Failure);
            // Without a learner nothing that is held could be trained on by waiting.
            if (_end.Task.Result == MemberEnd.Stopped && !_noLearner.Task.IsCompleted && wiring.GiveBack is { } giveBack)
                await await Task.WhenAny(giveBack(), _noLearner.Task, host.Failure);
        }
        finally
        {
            await host.StopAsync();
        }
        return _end.Task.Result;
    }

    private void Hear(ControlNotice notice, RunIdentity own, ActorHost host, Action<string> note)
    {
        switch (notice)
        {
            case EpochOpened opened:
                if (_noLearner.Task.IsCompleted)
                    _noLearner = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                var differences = new RunIdentity(opened.Identity).DifferencesTo(own);
                if (differences.Count > 0)
                    host.Fail(new InvalidDataException($"the learner's run is another: there, {string.Join("; ", differences)} here. Give all processes of a run the same policy and settings"));
                else
                    note($"epoch {opened.Epoch} begins at version {opened.Version}");
                break;
            case LearnerStopped { InputEnded: true }:
                _end.TrySetResult(MemberEnd.InputEnded);
                break;
            case LearnerStopped stopped:
                _noLearner.TrySetResult();
                note($"{stopped.Reason}: waiting for the next one");
                break;
        }
    }

    private static TaskCompletionSource Gone()
    {
        var gone = new TaskCompletionSource();
        gone.SetResult();
        return gone;
    }
}
