using MassDpo.Shared.Contracts;

namespace MassDpo.Shared.Links;

/// <summary>
/// Where the learner tells others, beside its logs, what became of each position: at least once. It flushes before it writes a checkpoint, so that what a
/// checkpoint covers was told; what came after the checkpoint that it goes back to is told again, or otherwise, in a later epoch. So for a position the
/// newest epoch holds. A sink that fails throws, then or later: the learner goes back to its checkpoint and makes a new sink.
/// </summary>
public interface IOutcomeSink : IDisposable
{
    /// <summary>A selection was trained on. It need not be there when this returns; there may be a wait for room.</summary>
    /// <exception cref="IOException">this or an earlier outcome cannot be told</exception>
    void Applied(SelectionEvent selection, EventLine line);

    /// <summary>A record went to dead letters. It need not be there when this returns; there may be a wait for room.</summary>
    /// <param name="letter">the record, with the reason</param>
    /// <param name="version">of the policy at that time</param>
    /// <param name="epoch">in which it died</param>
    /// <exception cref="IOException">this or an earlier outcome cannot be told</exception>
    void Died(DeadLetter letter, long version, long epoch);

    /// <summary>Waits until all that was told is there for good.</summary>
    /// <exception cref="IOException">not all of it is</exception>
    void Flush();
}

/// <summary>Nobody is told: the logs hold it all.</summary>
public sealed class NoOutcomes : IOutcomeSink
{
    public static NoOutcomes Instance { get; } = new();

    public void Applied(SelectionEvent selection, EventLine line)
    {
    }

    public void Died(DeadLetter letter, long version, long epoch)
    {
    }

    public void Flush()
    {
    }

    public void Dispose()
    {
    }
}
