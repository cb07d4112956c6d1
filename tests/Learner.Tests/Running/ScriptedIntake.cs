using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;

namespace MassDpo.Learner.Tests.Running;

/// <summary>What an intake of a scenario does beside its work.</summary>
/// <param name="IsInvalid">whether a record goes to dead letters at once</param>
/// <param name="FailsOn">throws at the notice that it says, and is restarted</param>
internal sealed record IntakeScript(Func<CandidatePool, bool> IsInvalid, Func<ControlNotice, bool> FailsOn)
{
    public static IntakeScript Plain { get; } = new(_ => false, _ => false);
}

/// <summary>An intake over records in memory, with the manners of a real one: all it knows of what is settled it has from the learner.</summary>
internal sealed class ScriptedIntake(IActorContext<ControlNotice> context, string name, IReadOnlyList<CandidatePool> records, int window, IntakeScript script,
    IControlLink control, IPoolsLink pools) : Actor<ControlNotice>
{
    private readonly Queue<CandidatePool> _inHand = new();
    private readonly SortedDictionary<long, PoolBlock> _granted = [];
    private IDisposable? _membership;
    private SettledPositions _settled = new();
    private long _epoch = -1;
    private long _offered;
    private int _next;
    private bool _toldEnd;

    public override async ValueTask StartAsync(CancellationToken cancellation)
    {
        await control.SendAsync(new IntakeReady(name, context.Incarnation), cancellation);
        _membership = control.Join(name, context.Self.Post);
    }

    public override async ValueTask ReceiveAsync(ControlNotice notice, CancellationToken cancellation)
    {
        if (notice is EpochOpened opened && opened.Epoch > _epoch)
        {
            _inHand.Clear();
            _granted.Clear();
            (_epoch, _settled, _offered, _next, _toldEnd) = (opened.Epoch, opened.Settled, 0, 0, false);
        }
        if (notice.Epoch != _epoch)
            return;
        if (script.FailsOn(notice))
            throw new InvalidOperationException("scripted failure of an intake");
        switch (notice)
        {
            case SlotsGranted granted when granted.Intake == name:
                _granted[granted.Block.First] = new PoolBlock(granted.Block, [.. Enumerable.Range(0, granted.Block.Count).Select(_ => _inHand.Dequeue())]);
                await pools.OfferAsync(_granted[granted.Block.First], cancellation);
                break;
            case BlockReissued reissued when reissued.Intake == name:
                await ReissueAsync(reissued, cancellation);
                break;
            case BatchClosed closed:
                foreach (var first in _granted.Where(block => block.Value.Block.Batch < closed.Version).Select(block => block.Key).ToList())
                    _granted.Remove(first);
                break;
        }
        await ReadAsync(cancellation);
    }

    public override ValueTask StopAsync()
    {
        _membership?.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask ReissueAsync(BlockReissued reissued, CancellationToken cancellation)
    {
        var pool = _granted[reissued.Block.First].Pools.ToArray();
        foreach (var death in reissued.Deaths)
        {
            var dead = pool[death.Slot - reissued.Block.First]!;
            pool[death.Slot - reissued.Block.First] = null;
            await control.SendAsync(new PositionDead(name, _epoch, new DeadLetter(dead.Position, death.Code, death.Reason, dead.Origin), death.Slot), cancellation);
        }
        _granted[reissued.Block.First] = new PoolBlock(reissued.Block, pool);
        await pools.OfferAsync(_granted[reissued.Block.First], cancellation);
    }

    private async ValueTask ReadAsync(CancellationToken cancellation)
    {
        var before = _offered;
        while (_next < records.Count && _inHand.Count + _granted.Values.Sum(block => block.Pools.Count) < window)
        {
            var record = records[_next++];
            if (_settled.Contains(record.Position))
                continue;
            if (script.IsInvalid(record))
            {
                await control.SendAsync(new PositionDead(name, _epoch, new DeadLetter(record.Position, DeadLetterCodes.Field, "scripted", record.Origin)), cancellation);
                continue;
            }
            _inHand.Enqueue(record);
            _offered++;
        }
        var ended = _next == records.Count;
        if (_offered == before && (!ended || _toldEnd))
            return;
        _toldEnd = ended;
        await control.SendAsync(new SlotRequest(name, _epoch, _offered, ended ? [new PassEnd(name, 0, records.Count)] : [], ended, InputShare.All(name)), cancellation);
    }
}
