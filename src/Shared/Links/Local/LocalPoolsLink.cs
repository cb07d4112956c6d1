using MassDpo.Shared.Contracts;

namespace MassDpo.Shared.Links.Local;

/// <summary>The pools link within one process: waiting blocks in the order of their slots, waiting selectors in the order of asking.</summary>
public sealed class LocalPoolsLink : IPoolsLink
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<long, PoolBlock> _waiting = [];
    private readonly LinkedList<(string Selector, Action<PoolBlock> Deliver)> _requests = [];
    private long _epoch = long.MinValue;

    public ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (block.Block.Epoch < _epoch)
                return ValueTask.CompletedTask;
            if (block.Block.Epoch > _epoch)
            {
                _waiting.Clear();
                _epoch = block.Block.Epoch;
            }
            if (!_waiting.TryGetValue(block.Block.First, out var known) || known.Block.Attempt < block.Block.Attempt)
                _waiting[block.Block.First] = block;
            Match();
        }
        return ValueTask.CompletedTask;
    }

    public void Request(string selector, Action<PoolBlock> deliver)
    {
        lock (_lock)
        {
            Remove(selector);
            _requests.AddLast((selector, deliver));
            Match();
        }
    }

    public void Withdraw(string selector)
    {
        lock (_lock)
            Remove(selector);
    }

    private void Match()
    {
        while (_waiting.Count > 0 && _requests.First is { } request)
        {
            var (first, block) = _waiting.First();
            _waiting.Remove(first);
            _requests.RemoveFirst();
            request.Value.Deliver(block);
        }
    }

    private void Remove(string selector)
    {
        for (var node = _requests.First; node is not null; node = node.Next)
        {
            if (node.Value.Selector == selector)
            {
                _requests.Remove(node);
                return;
            }
        }
    }
}
