using MassDpo.App.Watching;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Files;
using MassDpo.Shared.Links;
using Microsoft.Extensions.Logging;
using static TorchSharp.torch;

namespace MassDpo.App.Running;

/// <summary>How the selectors of a process ended.</summary>
internal enum SelectorEnd
{
    /// <summary>They were asked to stop; others go on.</summary>
    Stopped,
    /// <summary>The learner has had all the input that there is.</summary>
    InputEnded,
}

/// <summary>
/// A process of selectors from beginning to end: loads the policy, reads and selects as long as there is a learner and records, waits while there is none, and gives its
/// part of the input back when it is asked to stop.
/// </summary>
/// <param name="policyDirectory">the policy that the run started from</param>
/// <param name="options">of the run; what its results depend on must be what the learner has</param>
/// <param name="watch">how it lets itself be watched</param>
/// <param name="logger">of warnings and failures</param>
internal sealed class SelectorJob(string policyDirectory, RunOptions options, WatchOptions watch, ILogger logger)
{
    private readonly TaskCompletionSource<SelectorEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _hasLearner;

    /// <summary>Runs until the input has ended or <paramref name="stop"/> asks for an orderly end.</summary>
    /// <param name="wire">joins it to the rest of its run</param>
    /// <param name="note">told of every epoch</param>
    /// <param name="stop">see above</param>
    /// <exception cref="InvalidDataException">the learner's run is set to something else, or its policy is another</exception>
    public async Task<SelectorEnd> RunAsync(Func<LoadedPolicy, Task<RunWiring>> wire, Action<string> note, CancellationToken stop)
    {
        await using var host = new LocalHost(TimeProvider.System, logger);
        await using var watching = await ProcessWatch.StartAsync(watch, host, logger);
        set_num_threads(options.Threads);
        using var policy = LoadedPolicy.Load(policyDirectory, options.Policy);
        options.CheckFeatures(policy.Weights.Lora is not null);
        await using var wiring = await wire(policy);
        using var cache = SelectorRole.OpenCache(policy, options, PhysicalFiles.Instance, logger);
        wiring.Attach(host);
        try
        {
            var own = options.Identity(policy.Identity, wiring.Data, policy.Scoring);
            using var member = wiring.Links.Control.Join(wiring.Process + "process", notice => Hear(notice, own, host, note));
            SelectorRole.Spawn(host, wiring.Links, policy, cache, wiring.Source!, options, wiring.Process);
            await using var _ = stop.Register(() => _end.TrySetResult(SelectorEnd.Stopped));
            await await Task.WhenAny(_end.Task, host.Failure);
            // Without a learner nothing that is held could be trained on by waiting.
            if (_end.Task.Result == SelectorEnd.Stopped && _hasLearner && wiring.GiveBack is { } giveBack)
                await await Task.WhenAny(giveBack(), host.Failure);
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
                _hasLearner = true;
                var differences = new RunIdentity(opened.Identity).DifferencesTo(own);
                if (differences.Count > 0)
                    host.Fail(new InvalidDataException($"the learner's run is another: there, {string.Join("; ", differences)} here. Give all processes of a run the same policy and settings"));
                else
                    note($"epoch {opened.Epoch} begins at version {opened.Version}");
                break;
            case LearnerStopped { InputEnded: true }:
                _end.TrySetResult(SelectorEnd.InputEnded);
                break;
            case LearnerStopped stopped:
                _hasLearner = false;
                note($"{stopped.Reason}: waiting for the next one");
                break;
        }
    }
}
