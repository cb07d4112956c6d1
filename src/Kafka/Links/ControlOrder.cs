using MassDpo.Shared.Links;

namespace MassDpo.Kafka.Links;

/// <summary>
/// Who owns the epoch, as a function of the order in which claims and notices stand in the control topic: all who read it come to the same. The first claim
/// of a newer epoch owns it; one that is not newer, or whose checkpoint is older than what was published, counts for nothing unless it is forced.
/// Notices of an epoch that is over are not heard.
/// </summary>
internal sealed class ControlOrder
{
    private long _newest = long.MinValue;
    // What the newest claim was made at; the epoch that held before it stays known until the new one opens.
    private long? _published;

    /// <summary>Offset from which a newcomer must read to know all that holds; null: nothing does.</summary>
    public long? Start { get; private set; }

    /// <summary>Who made the newest claim that counts; null: nobody.</summary>
    public string? Owner { get; private set; }

    /// <summary>The epoch that holds, with its newest version; null: none has opened.</summary>
    public EpochOpened? Epoch { get; private set; }

    /// <summary>Why a claim would not count if it came next; null: it would.</summary>
    public string? Objection(EpochClaim claim)
    {
        if (claim.Epoch <= _newest)
            return $"epoch {claim.Epoch} is not newer than epoch {_newest}, which another learner claimed";
        return _published is { } published && claim.Version < published && !claim.Forced
            ? $"the checkpoint is at version {claim.Version}, but version {published} was published already: start from a newer checkpoint, or force the claim to lose what came after it"
            : null;
    }

    /// <summary>A claim comes; whether it counts.</summary>
    public bool Claim(long offset, EpochClaim claim, string claimant)
    {
        if (Objection(claim) is not null)
            return false;
        (_newest, Owner, Start) = (claim.Epoch, claimant, offset);
        if (claim.Forced)
            _published = null;
        return true;
    }

    /// <summary>A notice comes; whether members hear it.</summary>
    public bool Hear(ControlNotice notice)
    {
        if (notice.Epoch < _newest)
            return false;
        _newest = notice.Epoch;
        switch (notice)
        {
            case EpochOpened opened:
                (Epoch, _published) = (opened, opened.Version);
                break;
            case BatchClosed closed:
                _published = closed.Version;
                if (Epoch is not null)
                    Epoch = Epoch with { Version = closed.Version };
                break;
        }
        return true;
    }
}
