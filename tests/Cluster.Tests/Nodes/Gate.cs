using MassDpo.Learner;

namespace MassDpo.Cluster.Tests.Nodes;

/// <summary>Holds a learner at a version until it is opened.</summary>
internal sealed class Gate(long version) : IDisposable
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _open = new();

    /// <summary>Completes when the learner is there.</summary>
    public Task Reached => _reached.Task;

    public void Pass(LearnerProgress progress)
    {
        if (progress.Version < version)
            return;
        _reached.TrySetResult();
        _open.Wait();
    }

    public void Open() => _open.Set();

    // Whoever is still there must not wait for ever; the event itself is left to them.
    public void Dispose() => _open.Set();
}
