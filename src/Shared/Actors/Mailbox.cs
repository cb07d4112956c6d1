namespace MassDpo.Shared.Actors;

/// <summary>
/// A queue with one reader. Senders that tell wait while it holds <c>capacity</c> messages; senders that post never wait. Once closed it gives out
/// nothing more, and those who wait are cancelled.
/// </summary>
internal sealed class Mailbox<T>(int capacity)
{
    private readonly Lock _lock = new();
    private readonly Queue<T> _messages = new();
    private readonly Waiters _senders = new();
    private readonly Waiters _reader = new();
    private bool _closed;

    public async ValueTask Tell(T message, CancellationToken cancellation)
    {
        while (true)
        {
            TaskCompletionSource room;
            lock (_lock)
            {
                ThrowIfClosed();
                if (_messages.Count < capacity)
                {
                    Enqueue(message);
                    return;
                }
                room = _senders.Add();
            }
            await Waiters.WaitAsync(room, cancellation);
        }
    }

    public void Post(T message)
    {
        lock (_lock)
        {
            if (!_closed)
                Enqueue(message);
        }
    }

    public async ValueTask<T> Take(CancellationToken cancellation)
    {
        while (true)
        {
            TaskCompletionSource arrival;
            lock (_lock)
            {
                if (_messages.TryDequeue(out var message))
                {
                    if (_messages.Count < capacity)
                        _senders.WakeOne();
                    return message;
                }
                ThrowIfClosed();
                arrival = _reader.Add();
            }
            await Waiters.WaitAsync(arrival, cancellation);
        }
    }

    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            _messages.Clear();
            _senders.CancelAll();
            _reader.CancelAll();
        }
    }

    private void Enqueue(T message)
    {
        _messages.Enqueue(message);
        _reader.WakeOne();
    }

    private void ThrowIfClosed()
    {
        if (_closed)
            throw new OperationCanceledException("the actor has stopped");
    }
}
