using MassDpo.Learner;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;

namespace MassDpo.App.Hosting;

/// <summary>A run embedded in a host.</summary>
public interface IMassDpo
{
    /// <summary>
    /// Every selection that is applied from the moment of this call on, until the run ends. Call it before the host starts to miss none. A reader that
    /// falls far behind loses the oldest events; <c>selections.jsonl</c> has them all.
    /// </summary>
    IAsyncEnumerable<SelectionEvent> Tap(CancellationToken cancellation = default);

    /// <summary>Whether the run works, and what its actors still lack: for the host's own health checks. Any thread may ask at any time.</summary>
    HostHealth Health { get; }

    /// <summary>How the run ended, once it has: its source has ended or the host was stopped.</summary>
    Task<LearnerOutcome> Completion { get; }
}
