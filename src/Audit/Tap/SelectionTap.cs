using System.Collections.Immutable;
using System.Threading.Channels;
using MassDpo.Shared.Contracts;

namespace MassDpo.Audit.Tap;

/// <summary>
/// Hands every selection that was applied to whoever listens, while the run goes on. A listener that falls behind by more than the buffer loses the oldest
/// events, counted: the log has them all, and nobody's reading may hold up the learner. Thread-safe.
/// </summary>
public sealed class SelectionTap(int buffer = 8192)
{
    private ImmutableList<Channel<SelectionEvent>> _listeners = [];
    private long _dropped;
    private bool _closed;

    /// <summary>Events that a slow listener lost.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    public void Publish(SelectionEvent e)
    {
        foreach (var listener in _listeners)
            listener.Writer.TryWrite(e);
    }

    /// <summary>All events from now on, until the run ends.</summary>
    public IAsyncEnumerable<SelectionEvent> Listen(CancellationToken cancellation = default)
    {
        var options = new BoundedChannelOptions(buffer) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true };
        var channel = Channel.CreateBounded<SelectionEvent>(options, _ => Interlocked.Increment(ref _dropped));
        ImmutableInterlocked.Update(ref _listeners, listeners => listeners.Add(channel));
        if (Volatile.Read(ref _closed))
            channel.Writer.TryComplete();
        return Read(channel, cancellation);
    }

    /// <summary>Ends all listening: there will be no more events.</summary>
    public void Close()
    {
        Volatile.Write(ref _closed, true);
        foreach (var listener in _listeners)
            listener.Writer.TryComplete();
    }

    private async IAsyncEnumerable<SelectionEvent> Read(Channel<SelectionEvent> channel,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        try
        {
            await foreach (var e in channel.Reader.ReadAllAsync(cancellation))
                yield return e;
        }
        finally
        {
            ImmutableInterlocked.Update(ref _listeners, listeners => listeners.Remove(channel));
        }
    }
}
