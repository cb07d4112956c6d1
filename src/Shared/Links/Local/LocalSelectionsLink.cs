using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;

namespace MassDpo.Shared.Links.Local;

/// <summary>The selections link within one process: a sender waits on the receiver's own mailbox.</summary>
public sealed class LocalSelectionsLink : ISelectionsLink
{
    private readonly Lock _lock = new();
    private Receiver? _receiver;
    private readonly Waiters _waitForReceiver = new();

    public async ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation)
    {
        while (true)
        {
            Receiver? receiver;
            TaskCompletionSource? arrival;
            lock (_lock)
            {
                receiver = _receiver;
                arrival = receiver is null ? _waitForReceiver.Add() : null;
            }
            if (receiver is not null)
            {
                await receiver.Deliver(block, cancellation);
                return;
            }
            await Waiters.WaitAsync(arrival!, cancellation);
        }
    }

    public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver)
    {
        var receiver = new Receiver(this, deliver);
        lock (_lock)
        {
            _receiver = receiver;
            _waitForReceiver.WakeAll();
        }
        return receiver;
    }

    private void Leave(Receiver receiver)
    {
        lock (_lock)
        {
            if (_receiver == receiver)
                _receiver = null;
        }
    }

    private sealed class Receiver(LocalSelectionsLink link, Func<SelectionBlock, CancellationToken, ValueTask> deliver) : IDisposable
    {
        public Func<SelectionBlock, CancellationToken, ValueTask> Deliver => deliver;

        public void Dispose() => link.Leave(this);
    }
}
