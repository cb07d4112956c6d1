using Akka.Actor;
using MassDpo.Shared.Links;

namespace MassDpo.Cluster.Checkpoints;

/// <summary>
/// The control link of a learner whose checkpoints are copied to other nodes: a checkpoint is announced as written once there are as many copies as there must be, so that no learner is
/// ever refused for one that only a lost node had. The learner does not wait for them. Of several that are held back the newest is announced. Where it was the last the learner's end is
/// announced after it.
/// </summary>
/// <param name="inner">the link</param>
/// <param name="keeper">of this node</param>
/// <param name="counted">version of the newest checkpoint that is known to have its copies; 0: of none</param>
/// <param name="found">where checkpoints were looked for, and what there was</param>
internal sealed class CopiedControlLink(IControlLink inner, IActorRef keeper, long counted, string found) : IControlLink
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _counted = counted;
    private CheckpointWritten? _pending;
    private LearnerStopped? _last;
    private Authority? _authority;

    /// <summary>Version of the checkpoint that is not announced yet; null: none is held back.</summary>
    public long? Pending
    {
        get
        {
            lock (_lock)
                return _pending?.Version;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
        CancellationToken cancellation)
    {
        long known;
        lock (_lock)
            known = _counted;
        var authority = new Authority(this, claim.Epoch);
        try
        {
            authority.Inner = await inner.ClaimAsync(claim with { Committed = Math.Min(claim.Committed, known) }, (message, token) => authority.DeliverAsync(deliver, message, token), fenced, cancellation);
        }
        catch (ClaimRefusedException e) when (e.NewestEpoch is null)
        {
            throw ClaimRefusedException.Told($"{e.Message}. Checkpoints were looked for on all nodes that were reachable: {found}", null);
        }
        lock (_lock)
            _authority = authority;
        keeper.Tell(new CheckpointKeeper.Lead(claim.Epoch, Count), ActorRefs.NoSender);
        return authority;
    }

    /// <inheritdoc/>
    public IDisposable Join(string member, Action<ControlNotice> deliver) => inner.Join(member, deliver);

    /// <inheritdoc/>
    public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => inner.SendAsync(message, cancellation);

    /// <summary>Completes when nothing is held back any more after the learner's end; at once where it had not come to an orderly one.</summary>
    public Task EndAsync()
    {
        lock (_lock)
            return _last is null ? Task.CompletedTask : _ended.Task;
    }

    /// <summary>Waits no longer: the end is announced, the checkpoint that has no copies is not.</summary>
    public void GiveUp()
    {
        lock (_lock)
        {
            _pending = null;
            End();
        }
    }

    private void Count(CheckpointKeeper.Counted now)
    {
        lock (_lock)
        {
            _counted = Math.Max(_counted, now.Version ?? 0);
            if (_pending is { } pending && pending.Version <= now.Version)
            {
                // A checkpoint of an epoch that is over counts in the one that holds.
                _authority!.Inner!.Announce(pending with { Epoch = _authority.Epoch });
                _pending = null;
            }
            if (_pending is null || !now.Possible)
                End();
        }
    }

    // Once there is nothing to wait for.
    private void End()
    {
        if (_last is not { } last)
            return;
        _authority!.Inner!.Announce(last);
        _last = null;
        _ended.TrySetResult();
        if (_authority.IsDisposed)
            _authority.Release();
    }

    private void Announce(Authority authority, ControlNotice notice)
    {
        lock (_lock)
        {
            switch (notice)
            {
                case CheckpointWritten written:
                    _pending = written;
                    keeper.Tell(CheckpointKeeper.Written.Instance, ActorRefs.NoSender);
                    break;
                case LearnerStopped stopped when _pending is not null:
                    _last = stopped;
                    break;
                default:
                    authority.Inner!.Announce(notice);
                    break;
            }
        }
    }

    private void Dispose(Authority authority)
    {
        lock (_lock)
        {
            authority.IsDisposed = true;
            // The end is still to be announced, under this claim.
            if (_last is null || authority != _authority)
                authority.Release();
        }
    }

    private sealed class Authority(CopiedControlLink link, long epoch) : IControlAuthority
    {
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long Epoch => epoch;

        public IControlAuthority? Inner { get; set; }

        public bool IsDisposed { get; set; }

        // Who gave the claim up hears nothing any more; what is sent waits for the next learner.
        public async ValueTask DeliverAsync(Func<ControlMessage, CancellationToken, ValueTask> deliver, ControlMessage message, CancellationToken cancellation)
        {
            if (!IsDisposed)
            {
                await deliver(message, cancellation);
                return;
            }
            await _released.Task.WaitAsync(cancellation);
            throw new OperationCanceledException("the learner has ended");
        }

        public void Announce(ControlNotice notice)
        {
            if (notice.Epoch != epoch)
                throw new ArgumentException($"a notice of epoch {notice.Epoch} from the learner of epoch {epoch}", nameof(notice));
            link.Announce(this, notice);
        }

        public void Release()
        {
            Inner?.Dispose();
            _released.TrySetResult();
        }

        public void Dispose() => link.Dispose(this);
    }
}
