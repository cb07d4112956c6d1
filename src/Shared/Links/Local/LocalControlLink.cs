using MassDpo.Shared.Actors;

namespace MassDpo.Shared.Links.Local;

/// <summary>The control link within one process.</summary>
public sealed class LocalControlLink : IControlLink
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Member> _members = new(StringComparer.Ordinal);
    private Authority? _authority;
    private readonly ControlOrder _order = new();
    private readonly Waiters _waitForLearner = new();

    public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
        CancellationToken cancellation)
    {
        Authority? older;
        var authority = new Authority(this, claim.Epoch, deliver, fenced);
        lock (_lock)
        {
            if (_order.Objection(claim) is { } objection)
                throw objection;
            _order.Claim(claim);
            (older, _authority) = (_authority, authority);
            _waitForLearner.WakeAll();
        }
        older?.Fence($"epoch {claim.Epoch} was claimed by another learner");
        return ValueTask.FromResult<IControlAuthority>(authority);
    }

    public IDisposable Join(string member, Action<ControlNotice> deliver)
    {
        var joined = new Member(this, member, deliver);
        lock (_lock)
        {
            _members[member] = joined;
            if (_order.Epoch is { } epoch)
                deliver(epoch);
        }
        return joined;
    }

    public async ValueTask SendAsync(ControlMessage message, CancellationToken cancellation)
    {
        while (true)
        {
            Authority? authority;
            TaskCompletionSource? arrival;
            lock (_lock)
            {
                authority = _authority;
                arrival = authority is null ? _waitForLearner.Add() : null;
            }
            if (authority is not null)
            {
                await authority.Deliver(message, cancellation);
                return;
            }
            await Waiters.WaitAsync(arrival!, cancellation);
        }
    }

    private void Announce(Authority authority, ControlNotice notice)
    {
        // Delivering under the lock keeps the order; deliver does not block.
        lock (_lock)
        {
            if (_authority != authority)
                return;
            _order.Hear(notice);
            foreach (var member in _members.Values)
                member.Deliver(notice);
        }
    }

    private void Leave(Authority authority)
    {
        lock (_lock)
        {
            if (_authority == authority)
                _authority = null;
        }
    }

    private void Leave(Member member)
    {
        lock (_lock)
        {
            if (_members.GetValueOrDefault(member.Name) == member)
                _members.Remove(member.Name);
        }
    }

    private sealed class Authority(LocalControlLink link, long epoch, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced)
        : IControlAuthority
    {
        public Func<ControlMessage, CancellationToken, ValueTask> Deliver => deliver;

        public void Fence(string reason) => fenced(reason);

        public void Announce(ControlNotice notice)
        {
            if (notice.Epoch != epoch)
                throw new ArgumentException($"a notice of epoch {notice.Epoch} from the learner of epoch {epoch}", nameof(notice));
            link.Announce(this, notice);
        }

        public void Dispose() => link.Leave(this);
    }

    private sealed class Member(LocalControlLink link, string name, Action<ControlNotice> deliver) : IDisposable
    {
        public string Name => name;

        public Action<ControlNotice> Deliver => deliver;

        public void Dispose() => link.Leave(this);
    }
}
