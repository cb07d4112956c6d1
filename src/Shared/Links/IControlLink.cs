namespace MassDpo.Shared.Links;

/// <summary>
/// Joins the learner with all others: slots and their leases, settled and dead positions, the epoch. One learner owns the epoch; the newest epoch
/// wins and an older learner is fenced: it hears why, and what it announces goes nowhere.
/// </summary>
public interface IControlLink
{
    /// <summary>
    /// Claims an epoch for a learner. <paramref name="deliver"/> gets the messages of all members, in order per member, also those sent while there was
    /// no learner; it holds a sender back while it has no room. <paramref name="fenced"/> is called once, with the reason, when a newer epoch is claimed.
    /// </summary>
    /// <exception cref="ClaimRefusedException">the epoch is not newer than the one that holds, or its checkpoint is older than one that was written and the claim is not forced</exception>
    ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
        CancellationToken cancellation);

    /// <summary>
    /// Joins as a member. <paramref name="deliver"/> gets, first of all, the <see cref="EpochOpened"/> that holds, if one does, then every notice of that
    /// and newer epochs, in order; what has another addressee may be left out. It must not block. Disposing the result leaves.
    /// </summary>
    IDisposable Join(string member, Action<ControlNotice> deliver);

    /// <summary>Sends to the learner, now or as soon as there is one.</summary>
    ValueTask SendAsync(ControlMessage message, CancellationToken cancellation);
}

/// <summary>A learner's hold on its epoch; disposing it gives the link up, so that what members send waits for the next learner.</summary>
public interface IControlAuthority : IDisposable
{
    /// <summary>Tells all members. Never blocks; goes nowhere once fenced.</summary>
    void Announce(ControlNotice notice);
}

/// <summary>What a learner claims an epoch with: the version and hash of the checkpoint that it starts from.</summary>
/// <param name="Epoch">that is claimed</param>
/// <param name="Version">that it begins at</param>
/// <param name="Hash">of the policy of that version</param>
/// <param name="Forced">whether it counts though a newer checkpoint was written</param>
public sealed record EpochClaim(long Epoch, long Version, string Hash, bool Forced = false)
{
    /// <summary>Version of the learner's newest checkpoint: an epoch that begins on the way is at a version that none holds.</summary>
    public long Committed { get; init; } = Version;
}

/// <summary>A claim that the link does not accept.</summary>
public sealed class ClaimRefusedException : Exception
{
    private ClaimRefusedException(string message, long? newest) : base(message) => NewestEpoch = newest;

    /// <summary>The epoch that a claim has to be newer than, where that was the reason.</summary>
    public long? NewestEpoch { get; }

    /// <summary>As another process told it.</summary>
    public static ClaimRefusedException Told(string message, long? newest) => new(message, newest);

    /// <summary>Another learner has claimed such an epoch, or a newer one.</summary>
    public static ClaimRefusedException NotNewer(EpochClaim claim, long newest) =>
        new($"epoch {claim.Epoch} is not newer than epoch {newest}, which another learner claimed. Another run may use this link: give each run its own, or take it over by force (--force-claim)", newest);

    /// <summary>A newer checkpoint was written than the one that the claim starts from.</summary>
    public static ClaimRefusedException Behind(EpochClaim claim, long committed) =>
        new($"the checkpoint is at version {claim.Version}, but one of version {committed} was written already: start from that one, or force the claim to lose what came after this one (--force-claim)", null);
}
