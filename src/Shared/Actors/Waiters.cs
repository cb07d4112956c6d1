namespace MassDpo.Shared.Actors;

/// <summary>
/// Those who wait for something, in order. Each waits on a source of its own, so that giving up takes nothing from the others, and what follows runs where it
/// began: Task.WaitAsync would pass through the thread pool and so escape a seeded scheduler. The owner guards it with a lock; waiting is outside.
/// </summary>
public sealed class Waiters
{
    private readonly Queue<TaskCompletionSource> _waiting = new();

    /// <summary>One more who waits, last in order.</summary>
    public TaskCompletionSource Add()
    {
        var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting.Enqueue(source);
        return source;
    }

    /// <summary>Wakes the first that has not given up; false where there is none.</summary>
    public bool WakeOne()
    {
        while (_waiting.TryDequeue(out var source))
            if (source.TrySetResult())
                return true;
        return false;
    }

    public void WakeAll()
    {
        while (WakeOne())
        {
        }
    }

    public void CancelAll()
    {
        while (_waiting.TryDequeue(out var source))
            source.TrySetCanceled();
    }

    public static async ValueTask WaitAsync(TaskCompletionSource source, CancellationToken cancellation)
    {
        using var _ = cancellation.Register(static source => ((TaskCompletionSource)source!).TrySetCanceled(), source);
        await source.Task;
    }
}
