using MassDpo.Shared.Contracts;

namespace MassDpo.Shared.Links.Local;

/// <summary>
/// Blocks that wait for selectors, in the order of their slots, and selectors that wait for blocks, in the order of asking, those last that ask ahead. A newer epoch sweeps out the blocks of older ones.
/// Not thread-safe; <c>deliver</c> may come back to it.
/// </summary>
/// <typeparam name="T">what stands for a block</typeparam>
public sealed class PoolQueue<T>
{
    private readonly SortedDictionary<long, (int Attempt, T Item)> _waiting = [];
    private readonly List<(string Selector, Action<T> Deliver, bool IsAhead)> _requests = [];
    private long _epoch = long.MinValue;

    /// <summary>Hands out a block, now or as soon as somebody asks; one of a higher attempt replaces the same that waits.</summary>
    public void Offer(SlotBlock block, T item)
    {
        if (block.Epoch < _epoch)
            return;
        if (block.Epoch > _epoch)
        {
            _waiting.Clear();
            _epoch = block.Epoch;
        }
        if (!_waiting.TryGetValue(block.First, out var known) || known.Attempt < block.Attempt)
            _waiting[block.First] = (block.Attempt, item);
        Match();
    }

    /// <summary>Asks for one block, now or ahead, in the place of what this selector asked for so before.</summary>
    public void Request(string selector, Action<T> deliver, bool isAhead = false)
    {
        _requests.RemoveAll(request => request.Selector == selector && request.IsAhead == isAhead);
        var place = isAhead ? -1 : _requests.FindIndex(request => request.IsAhead);
        _requests.Insert(place < 0 ? _requests.Count : place, (selector, deliver, isAhead));
        Match();
    }

    /// <summary>What this selector asked for it does not want any more.</summary>
    public void Withdraw(string selector) => _requests.RemoveAll(request => request.Selector == selector);

    private void Match()
    {
        while (_waiting.Count > 0 && _requests.Count > 0)
        {
            var (first, (_, item)) = _waiting.First();
            _waiting.Remove(first);
            var request = _requests[0];
            _requests.RemoveAt(0);
            request.Deliver(item);
        }
    }
}
