namespace MassDpo.Shared.Links;

/// <summary>
/// Which epoch holds, as a function of the order of claims and notices: all who take them in this order come to the same, whatever kind of link it is. The first claim
/// of a newer epoch owns it; one that is not newer counts for nothing, nor does one whose checkpoint is older than another that was written, unless it is forced.
/// Notices of an epoch that is over are not heard.
/// </summary>
public sealed class ControlOrder
{
    private long _newest = long.MinValue;
    private long? _committed;

    /// <summary>The epoch that holds, with its newest version; null: none has opened since the newest claim.</summary>
    public EpochOpened? Epoch { get; private set; }

    /// <summary>That the learner of this epoch has stopped; null: it has not, or not that anybody knows.</summary>
    public LearnerStopped? Stopped { get; private set; }

    /// <summary>Why a claim would not count if it came next; null: it would.</summary>
    public ClaimRefusedException? Objection(EpochClaim claim)
    {
        if (claim.Epoch <= _newest)
            return ClaimRefusedException.NotNewer(claim, _newest);
        return _committed is { } committed && claim.Version < committed && !claim.Forced ? ClaimRefusedException.Behind(claim, committed) : null;
    }

    /// <summary>A claim comes; whether it counts.</summary>
    public bool Claim(EpochClaim claim)
    {
        if (Objection(claim) is not null)
            return false;
        // Who comes now must not take what is over for what holds: the next epoch may be of another version, and set otherwise.
        (_newest, Epoch, Stopped) = (claim.Epoch, null, null);
        // What was forced may have gone back; else the claim tells it again, for who hears of nothing before it.
        _committed = claim.Forced ? claim.Committed : Math.Max(claim.Committed, _committed ?? claim.Committed);
        return true;
    }

    /// <summary>A notice comes; whether members hear it.</summary>
    public bool Hear(ControlNotice notice)
    {
        if (notice.Epoch < _newest)
            return false;
        // Of an epoch whose claim nobody holds any more: what opened and who stopped was of one before.
        if (notice.Epoch > _newest)
            (_newest, Epoch, Stopped) = (notice.Epoch, null, null);
        switch (notice)
        {
            case EpochOpened opened:
                Epoch = opened;
                break;
            case BatchClosed closed when Epoch?.Epoch == closed.Epoch:
                Epoch = Epoch with { Version = closed.Version };
                break;
            case LearnerStopped stopped:
                Stopped = stopped;
                break;
            case CheckpointWritten written:
                _committed = written.Version;
                break;
        }
        return true;
    }
}
