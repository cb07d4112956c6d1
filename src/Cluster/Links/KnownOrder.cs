using MassDpo.Shared.Links;

namespace MassDpo.Cluster.Links;

/// <summary>The newest epoch and checkpoint that a process has heard of: what the next hub must know to refuse an older learner. Thread-safe.</summary>
internal sealed class KnownOrder
{
    private readonly Lock _lock = new();
    private long? _epoch;
    private long? _committed;

    /// <summary>Both; null: none.</summary>
    public (long? Epoch, long? Committed) Newest
    {
        get
        {
            lock (_lock)
                return (_epoch, _committed);
        }
    }

    /// <summary>Both, with the name of the link.</summary>
    public (string Link, long? Epoch, long? Committed) Of(string link)
    {
        var (epoch, committed) = Newest;
        return (link, epoch, committed);
    }

    /// <summary>Whether the notice is of no older epoch than was heard of.</summary>
    public bool Hear(ControlNotice notice)
    {
        lock (_lock)
        {
            if (notice.Epoch < _epoch)
                return false;
            _epoch = notice.Epoch;
            if (notice is CheckpointWritten written)
                _committed = written.Version;
            return true;
        }
    }
}
