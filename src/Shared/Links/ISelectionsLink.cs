using MassDpo.Shared.Contracts;

namespace MassDpo.Shared.Links;

/// <summary>Brings computed blocks from selectors to the learner, at least once each; the learner drops what it has already.</summary>
public interface ISelectionsLink
{
    /// <summary>Sends a block; waits while there is no receiver or it has no room.</summary>
    ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation);

    /// <summary>Receives all blocks from now on, in order per sender; replaces a receiver before it. Disposing the result stops that.</summary>
    IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver);
}
