using MassDpo.Shared.Contracts;

namespace MassDpo.Shared.Links.Local;

/// <summary>The pools link within one process.</summary>
public sealed class LocalPoolsLink : IPoolsLink
{
    private readonly Lock _lock = new();
    private readonly PoolQueue<PoolBlock> _queue = new();

    public ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation)
    {
        lock (_lock)
            _queue.Offer(block.Block, block);
        return ValueTask.CompletedTask;
    }

    public void Request(string selector, Action<PoolBlock> deliver, bool isAhead = false)
    {
        lock (_lock)
            _queue.Request(selector, deliver, isAhead);
    }

    public void Withdraw(string selector)
    {
        lock (_lock)
            _queue.Withdraw(selector);
    }
}
