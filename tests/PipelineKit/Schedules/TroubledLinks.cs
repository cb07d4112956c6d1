using MassDpo.App.Running;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;

namespace MassDpo.PipelineKit.Schedules;

/// <summary>
/// Links of one start of a run over which selectors and intake misbehave as their processes and a network may: they die, fail, are slow or lost, and what they
/// send and hear comes late or twice. Within what the links promise: order is kept per sender and per member, and nothing is lost without its sender's death.
/// </summary>
internal sealed class TroubledLinks(PipelineSchedule schedule, Life life, Func<CandidatePool, bool> isPoison, TimeProvider clock, Sightings sightings)
{
    private readonly Trouble _trouble = life.Trouble;
    private StableRandom _random = new(life.Seed, 0x780B1E);
    private int _deaths = life.Trouble.Deaths;
    private int _lost;
    private int _learnerFailures;

    /// <summary>Whether a selector's hold on a block may have run out, so that a record may be given up for that.</summary>
    public bool HoldersWereLost { get; private set; }

    /// <summary>Whether selectors failed on records that are no poison.</summary>
    public bool FailedNowAndThen { get; private set; }

    public PipelineLinks Over(PipelineLinks links)
    {
        var control = new Control(this, links.Control);
        return new PipelineLinks(control, new Pools(this, links.Pools), new Selections(this, links.Selections, control), new Snapshots(this, links.Snapshots));
    }

    /// <summary>Throws where the learner is to fail after an update.</summary>
    public void AfterUpdate()
    {
        // It gives up after more failures than that without a new checkpoint.
        if (_learnerFailures >= 3 || !Befalls(_trouble.LearnerFails))
            return;
        _learnerFailures++;
        sightings.Saw("learner failed");
        throw new IOException("made to fail after an update");
    }

    private bool Befalls(int oneIn) => oneIn > 0 && _random.Below(oneIn) == 0;

    private void MayDie(int oneIn, string who)
    {
        if (_deaths == 0 || !Befalls(oneIn))
            return;
        _deaths--;
        sightings.Saw(who);
        if (who.StartsWith("selector", StringComparison.Ordinal))
            HoldersWereLost = true;
        throw new IOException($"made to die: {who}");
    }

    private TimeSpan UpTo(double leases) => TimeSpan.FromSeconds(schedule.LeaseSeconds * leases * (0.1 + 0.9 * _random.Unit()));

    private async ValueTask MayBeLateAsync(string what, CancellationToken cancellation)
    {
        if (!Befalls(_trouble.MessageIsLate))
            return;
        sightings.Saw(what);
        HoldersWereLost = true;
        await Task.Delay(UpTo(leases: 1.2), clock, cancellation);
    }

    private sealed class Control(TroubledLinks links, IControlLink inner) : IControlLink
    {
        public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
            CancellationToken cancellation) => inner.ClaimAsync(claim, deliver, fenced, cancellation);

        public IDisposable Join(string member, Action<ControlNotice> deliver)
        {
            var line = new LateLine<ControlNotice>(links, "notice late", deliver);
            var joined = inner.Join(member, line.Deliver);
            return new Leaving(() =>
            {
                line.Close();
                joined.Dispose();
            });
        }

        public async ValueTask SendAsync(ControlMessage message, CancellationToken cancellation)
        {
            var isOfIntake = message is IntakeReady or SlotRequest or PositionDead;
            if (message is BlockHeld)
                links.MayDie(links._trouble.SelectorDiesBeforeTelling, "selector died before it told of its block");
            await links.MayBeLateAsync("message late", cancellation);
            await inner.SendAsync(message, cancellation);
            if (links.Befalls(links._trouble.MessageIsDoubled))
            {
                links.Saw("message doubled");
                await inner.SendAsync(message, cancellation);
            }
            if (isOfIntake)
                links.MayDie(links._trouble.IntakeDies, "intake died");
            else
                links.MayDie(links._trouble.SelectorDiesAfterSending, "selector died after a message");
        }
    }

    private sealed class Pools(TroubledLinks links, IPoolsLink inner) : IPoolsLink
    {
        public async ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation)
        {
            await links.MayBeLateAsync("offer late", cancellation);
            await inner.OfferAsync(block, cancellation);
            links.MayDie(links._trouble.IntakeDies, "intake died");
        }

        public void Request(string selector, Action<PoolBlock> deliver, bool isAhead = false) =>
            inner.Request(selector, new LateLine<PoolBlock>(links, "block late", deliver).Deliver, isAhead);

        public void Withdraw(string selector) => inner.Withdraw(selector);
    }

    private sealed class Selections(TroubledLinks links, ISelectionsLink inner, IControlLink control) : ISelectionsLink
    {
        public async ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation)
        {
            if (Failures(block) is { Count: > 0 } failures)
            {
                await control.SendAsync(new BlockFailed(block.Selector, block.Block, failures), cancellation);
                return;
            }
            if (links._lost < links.Selectors - 1 && links.Befalls(links._trouble.SelectorIsLost))
            {
                links._lost++;
                links.HoldersWereLost = true;
                links.Saw("selector lost for good");
                await Never(cancellation);
            }
            if (links.Befalls(links._trouble.SelectorIsSlow))
            {
                links.HoldersWereLost = true;
                links.Saw("selector slow");
                await Task.Delay(links.UpTo(leases: 3), links.Clock, cancellation);
            }
            links.MayDie(links._trouble.SelectorDiesBeforeSending, "selector died before sending");
            await links.MayBeLateAsync("selections late", cancellation);
            await inner.SendAsync(block, cancellation);
            if (links.Befalls(links._trouble.MessageIsDoubled))
            {
                links.Saw("selections doubled");
                await inner.SendAsync(block, cancellation);
            }
            links.MayDie(links._trouble.SelectorDiesAfterSending, "selector died after sending");
        }

        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) => inner.Receive(deliver);

        private List<SlotFailure> Failures(SelectionBlock block)
        {
            var failures = new List<SlotFailure>();
            for (var i = 0; i < block.Selections.Count; i++)
            {
                if (block.Selections[i] is not { } selection)
                    continue;
                var isPoison = links.IsPoison(selection.Pool);
                if (!isPoison && !links.Befalls(links._trouble.SelectorFailsNowAndThen))
                    continue;
                links.FailedNowAndThen |= !isPoison;
                links.Saw(isPoison ? "selector failed on poison" : "selector failed now and then");
                failures.Add(new SlotFailure(block.Block.First + i, "made to fail"));
            }
            return failures;
        }

        private static async Task Never(CancellationToken cancellation)
        {
            var never = new TaskCompletionSource();
            await using var registration = cancellation.Register(() => never.SetCanceled(cancellation));
            await never.Task;
        }
    }

    private sealed class Snapshots(TroubledLinks links, ISnapshotsLink inner) : ISnapshotsLink
    {
        public void Publish(PolicySnapshot snapshot) => inner.Publish(snapshot);

        public ISnapshotSubscription Subscribe(Action signal)
        {
            var line = new LateLine<bool>(links, "snapshot late", _ => signal());
            return inner.Subscribe(() => line.Deliver(true));
        }
    }

    /// <summary>Delivers in order; one now and then waits for a while, and with it those behind it.</summary>
    private sealed class LateLine<T>(TroubledLinks links, string what, Action<T> deliver)
    {
        private readonly Queue<T> _waiting = new();
        private bool _closed;

        public void Deliver(T message)
        {
            if (_waiting.Count == 0 && !links.Befalls(links._trouble.MessageIsLate))
            {
                deliver(message);
                return;
            }
            _waiting.Enqueue(message);
            if (_waiting.Count > 1)
                return;
            links.Saw(what);
            links.HoldersWereLost = true;
            ITimer? timer = null;
            timer = links.Clock.CreateTimer(_ =>
            {
                timer!.Dispose();
                while (_waiting.TryDequeue(out var next))
                    if (!_closed)
                        deliver(next);
            }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            timer.Change(links.UpTo(leases: 1.2), Timeout.InfiniteTimeSpan);
        }

        public void Close() => _closed = true;
    }

    private sealed class Leaving(Action leave) : IDisposable
    {
        public void Dispose() => leave();
    }

    private TimeProvider Clock => clock;

    private int Selectors => schedule.Selectors;

    private bool IsPoison(CandidatePool pool) => isPoison(pool);

    private void Saw(string what) => sightings.Saw(what);
}
