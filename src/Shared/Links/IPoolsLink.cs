using MassDpo.Shared.Contracts;

namespace MassDpo.Shared.Links;

/// <summary>
/// Brings blocks of pools from ingest to selectors. Work is pulled: a block goes to one selector that asked. A block offered again with a higher attempt
/// replaces the waiting one, and a block of a newer epoch all waiting ones of older epochs.
/// </summary>
public interface IPoolsLink
{
    /// <summary>Offers a block. At most as many wait as there are open slots.</summary>
    ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation);

    /// <summary>
    /// Asks for one block; <paramref name="deliver"/> is called once, at once or when there is one, oldest slots first. It must not block. Asking again
    /// before that replaces the earlier request of the same selector. To ask ahead, for the time after a block that it has or waits for, is a request of its own: it gets one when nobody
    /// waits who does not ask ahead.
    /// </summary>
    void Request(string selector, Action<PoolBlock> deliver, bool isAhead = false);

    /// <summary>Takes the requests of a selector back.</summary>
    void Withdraw(string selector);
}
