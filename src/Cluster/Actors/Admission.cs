using MassDpo.Shared.Actors;

namespace MassDpo.Cluster.Actors;

/// <summary>
/// Counts what waits in a mailbox of Akka's, which is not bounded: who tells waits outside while there is no room, who posts does not. Thread-safe.
/// </summary>
internal sealed class Admission(int capacity)
{
    private readonly Lock _lock = new();
    private readonly Waiters _senders = new();
    private int _inside;
    private bool _closed;

    /// <summary>Waits for room, and takes it.</summary>
    /// <exception cref="OperationCanceledException">cancelled, or closed</exception>
    public async ValueTask EnterAsync(CancellationToken cancellation)
    {
        while (true)
        {
            TaskCompletionSource room;
            lock (_lock)
            {
                if (_closed)
                    throw new OperationCanceledException("the actor has stopped");
                if (_inside < capacity)
                {
                    _inside++;
                    return;
                }
                room = _senders.Add();
            }
            await Waiters.WaitAsync(room, cancellation);
        }
    }

    /// <summary>Enters however many are inside; false once it is closed.</summary>
    public bool TryForce()
    {
        lock (_lock)
        {
            if (!_closed)
                _inside++;
            return !_closed;
        }
    }

    /// <summary>A message was taken out.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            if (--_inside < capacity)
                _senders.WakeOne();
        }
    }

    /// <summary>Lets nobody in any more; those who wait are cancelled.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            _senders.CancelAll();
        }
    }
}
