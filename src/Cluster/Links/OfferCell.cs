namespace MassDpo.Cluster.Links;

/// <summary>
/// The newest offer of snapshots on a link, told to every end that follows, to one that comes late at once. An end has one offer on its way at a time; of those that come meanwhile it
/// gets the newest. The hub's alone: it calls it in its own turn.
/// </summary>
/// <param name="push">brings an offer to an end, for the call by which it follows; calls what it is given, in the hub's turn, when the end has it</param>
internal sealed class OfferCell(Action<object, long, SnapshotOffer, Action> push)
{
    private readonly Dictionary<object, Follower> _followers = [];
    private SnapshotOffer? _newest;
    private object? _from;

    /// <summary>An end has this one; one that is not newer is dropped.</summary>
    public void Publish(object end, SnapshotOffer offer)
    {
        if (_newest is not null && !offer.IsNewerThan((_newest.Epoch, _newest.Version)))
            return;
        (_newest, _from) = (offer, end);
        foreach (var (follower, state) in _followers)
            Tell(follower, state);
    }

    /// <summary>What an end had cannot be pulled any more.</summary>
    public void Withdraw(object end)
    {
        if (_from == end)
            (_newest, _from) = (null, null);
    }

    /// <summary>An end wants to be told.</summary>
    /// <param name="end">see above</param>
    /// <param name="asked">number of its call</param>
    public void Follow(object end, long asked) => Tell(end, _followers[end] = new Follower(asked));

    /// <summary>It does not any more.</summary>
    public void Leave(object end) => _followers.Remove(end);

    private void Tell(object end, Follower follower)
    {
        if (follower.IsBusy || _newest is not { } offer || offer == follower.Told)
            return;
        (follower.IsBusy, follower.Told) = (true, offer);
        push(end, follower.Asked, offer, () =>
        {
            follower.IsBusy = false;
            if (_followers.GetValueOrDefault(end) == follower)
                Tell(end, follower);
        });
    }

    private sealed class Follower(long asked)
    {
        public long Asked => asked;

        public bool IsBusy { get; set; }

        public SnapshotOffer? Told { get; set; }
    }
}
