using Akka.Actor;
using MassDpo.Shared.Links;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>
/// An end of the control link of a cluster. Claims are decided at the hub. Where the hub is lost so is the claim that it held: its learner is fenced, and whoever follows
/// claims a newer epoch. Members join the next hub by themselves and tell it what they have heard, so that it refuses an older learner, too.
/// </summary>
public sealed class AkkaControlLink(Exchange exchange, string link) : IControlLink, IDisposable
{
    private readonly IActorRef _end = exchange.Open(link);
    private readonly KnownOrder _known = exchange.KnownOf(link);

    /// <inheritdoc/>
    public async ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
        CancellationToken cancellation)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var isFenced = 0;
        // Each claim is of its own kind: one does not take the place of another at this end.
        var want = new ExchangeEnd.Want(Operation.Claim, Operation.Release, Guid.NewGuid().ToString("N"), isOnce: false, (content, stopping) =>
        {
            if (content is not Fenced lost)
                return deliver((ControlMessage)content, stopping);
            Fence(lost.Reason);
            return ValueTask.CompletedTask;
        })
        { Content = claim, Done = done, Lost = () => Fence("the node that joined its links is lost") };
        _end.Tell(want, ActorRefs.NoSender);
        using var _ = cancellation.Register(() =>
        {
            if (done.TrySetCanceled(cancellation))
                _end.Tell(new ExchangeEnd.NoLonger(want), ActorRefs.NoSender);
        });
        await done.Task;
        return new Authority(_end, want, claim.Epoch, _known);

        void Fence(string reason)
        {
            if (Interlocked.Exchange(ref isFenced, 1) == 0)
                fenced(reason);
        }
    }

    /// <inheritdoc/>
    public IDisposable Join(string member, Action<ControlNotice> deliver)
    {
        var joined = new Member(_end, _known, deliver);
        var want = new ExchangeEnd.Want(Operation.Join, Operation.Leave, member, isOnce: false, (content, _) =>
        {
            joined.Hear((ControlNotice)content);
            return ValueTask.CompletedTask;
        })
        { Known = _known };
        joined.Want = want;
        _end.Tell(want, ActorRefs.NoSender);
        return joined;
    }

    /// <inheritdoc/>
    public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => Exchange.SendAsync(_end, Operation.SendMessage, message, cancellation);

    /// <summary>Closes the end: what it waits for is cancelled, and what it claimed and joined is left.</summary>
    public void Dispose() => exchange.Close(_end);

    private sealed class Authority(IActorRef end, ExchangeEnd.Want want, long epoch, KnownOrder known) : IControlAuthority
    {
        public void Announce(ControlNotice notice)
        {
            if (notice.Epoch != epoch)
                throw new ArgumentException($"a notice of epoch {notice.Epoch} from the learner of epoch {epoch}", nameof(notice));
            // Also where the hub is lost before anybody else hears it.
            known.Hear(notice);
            end.Tell(new ExchangeEnd.Announce(want, notice), ActorRefs.NoSender);
        }

        public void Dispose() => end.Tell(new ExchangeEnd.NoLonger(want), ActorRefs.NoSender);
    }

    private sealed class Member(IActorRef end, KnownOrder known, Action<ControlNotice> deliver) : IDisposable
    {
        private long? _opened;
        private volatile bool _left;

        public ExchangeEnd.Want? Want { get; set; }

        /// <summary>Notices come one at a time and in order; a new hub tells of the epoch that holds once more.</summary>
        public void Hear(ControlNotice notice)
        {
            if (_left || !known.Hear(notice))
                return;
            if (notice is EpochOpened && notice.Epoch == _opened)
                return;
            if (notice is EpochOpened)
                _opened = notice.Epoch;
            deliver(notice);
        }

        public void Dispose()
        {
            _left = true;
            end.Tell(new ExchangeEnd.NoLonger(Want!), ActorRefs.NoSender);
        }
    }
}
