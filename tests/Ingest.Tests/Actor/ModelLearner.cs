using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;

namespace MassDpo.Ingest.Tests.Actor;

/// <summary>What a <see cref="ModelLearner"/> is told.</summary>
internal abstract record ModelStep
{
    public sealed record Told(ControlMessage Message) : ModelStep;

    public sealed record Computed(PoolBlock Block) : ModelStep;

    public sealed record Open(long Epoch) : ModelStep;
}

/// <summary>What may go wrong, in percent of the blocks that come back, and the slots.</summary>
internal sealed record ModelOptions(int Batch, int Block, int Staleness, int Reissues = 0, int Deaths = 0, int Epochs = 0);

/// <summary>
/// The least that a learner does with an intake and the selectors: it grants slots for what is offered, takes blocks back, closes batches, and now
/// and then hands a block out again, lets records die in it, or opens a new epoch. It keeps account of every position.
/// </summary>
internal sealed class ModelLearner(IActorContext<ModelStep> context, IControlLink control, IPoolsLink pools, ModelOptions options, int seed)
    : Actor<ModelStep>
{
    private readonly SortedDictionary<long, (SlotBlock Block, PoolBlock? Computed)> _blocks = [];
    private readonly Dictionary<long, DeadLetter> _diedInSlot = [];
    private StableRandom _random = new(seed, 0x1EA);
    private IControlAuthority? _authority;
    private readonly SettledPositions _settled = new();
    private long _epoch;
    private long _version;
    private long _offered;
    private long _granted;
    private bool _ended;
    private bool _open;
    private int _epochsLeft = 8;

    /// <summary>Positions trained on, in order.</summary>
    public List<Position> Applied { get; } = [];

    public List<DeadLetter> Dead { get; } = [];

    public List<int> Incarnations { get; } = [];

    public SortedDictionary<(string, int), long> PassEnds { get; } = [];

    public int Ends { get; private set; }

    public int Reissued { get; private set; }

    public long Epoch => _epoch;

    /// <summary>Records of this epoch whose batches are closed: the intake need not hold them.</summary>
    public long LetGo { get; private set; }

    public bool Done { get; private set; }

    public override async ValueTask StartAsync(CancellationToken cancellation)
    {
        await ClaimAsync(cancellation);
        foreach (var selector in new[] { "s1", "s2" })
            Ask(selector);
    }

    public override async ValueTask ReceiveAsync(ModelStep message, CancellationToken cancellation)
    {
        switch (message)
        {
            case ModelStep.Open open when open.Epoch == _epoch:
                _open = true;
                _authority!.Announce(new EpochOpened(_epoch, _version, _settled.Copy()));
                break;
            case ModelStep.Told { Message: IntakeReady ready }:
                Incarnations.Add(ready.Incarnation);
                if (ready.Incarnation > 1)
                    await ClaimAsync(cancellation);
                break;
            case ModelStep.Told { Message: SlotRequest request } when request.Epoch == _epoch:
                Assert.True(request.Offered >= _offered, "offers count up");
                (_offered, _ended) = (request.Offered, _ended | request.Ended);
                Ends += request.Ended ? 1 : 0;
                foreach (var end in request.PassEnds)
                {
                    PassEnds[(end.Source, end.Pass)] = end.Length;
                    _settled.EndPass(end.Source, end.Pass, end.Length);
                }
                break;
            case ModelStep.Told { Message: PositionDead dead } when dead.Epoch == _epoch && dead.Slot is { } slot:
                Assert.True(_diedInSlot.TryAdd(slot, dead.Letter), "a death in a slot is told once");
                break;
            case ModelStep.Told { Message: PositionDead dead } when dead.Epoch == _epoch:
                Bury(dead.Letter);
                break;
            case ModelStep.Computed computed when computed.Block.Block.Epoch == _epoch:
                if (await TakeAsync(computed.Block, cancellation))
                    return;
                break;
        }
        Advance();
    }

    private async ValueTask ClaimAsync(CancellationToken cancellation)
    {
        (_epoch, _open, _offered, _granted, LetGo, _ended) = (_epoch + 1, false, 0, 0, 0, false);
        _blocks.Clear();
        _diedInSlot.Clear();
        _authority?.Dispose();
        _authority = await control.ClaimAsync(new EpochClaim(_epoch, _version, "h"),
            (message, token) => context.Self.Tell(new ModelStep.Told(message), token), _ => { }, cancellation);
        // Until a selector has confirmed the policy an epoch is claimed but not open.
        context.Schedule(TimeSpan.FromMilliseconds(_random.Below(3)), new ModelStep.Open(_epoch));
    }

    // True where a new epoch began.
    private async ValueTask<bool> TakeAsync(PoolBlock computed, CancellationToken cancellation)
    {
        if (!_blocks.TryGetValue(computed.Block.First, out var known) || known.Block.Attempt != computed.Block.Attempt)
            return false;
        Assert.Null(known.Computed);
        if (_epochsLeft > 0 && _random.Below(100) < options.Epochs)
        {
            _epochsLeft--;
            await ClaimAsync(cancellation);
            return true;
        }
        if (_random.Below(100) < options.Reissues)
        {
            Reissued++;
            var deaths = Enumerable.Range(0, known.Block.Count).Where(_ => _random.Below(100) < options.Deaths)
                .Select(i => new SlotDeath(known.Block.First + i, DeadLetterCodes.Selector, "failed")).ToList();
            _blocks[known.Block.First] = (known.Block with { Attempt = known.Block.Attempt + 1 }, null);
            _authority!.Announce(new BlockReissued(_epoch, IntakeScene.Name, _blocks[known.Block.First].Block, deaths));
            return false;
        }
        _blocks[known.Block.First] = (known.Block, computed);
        return false;
    }

    private void Advance()
    {
        if (!_open)
            return;
        while (CloseOne())
        {
        }
        for (var batch = _version; batch <= _version + options.Staleness; batch++)
        {
            while (GrantedIn(batch) < options.Batch)
            {
                var room = (int)Math.Min(options.Block, options.Batch - GrantedIn(batch));
                var count = (int)Math.Min(room, _offered - _granted);
                if (count < room && (!_ended || count == 0))
                    return;
                var block = new SlotBlock(_epoch, batch, batch * options.Batch + GrantedIn(batch), count, 1);
                _blocks[block.First] = (block, null);
                _granted += count;
                _authority!.Announce(new SlotsGranted(_epoch, IntakeScene.Name, block));
            }
        }
    }

    private bool CloseOne()
    {
        var drained = _ended && _offered == _granted;
        var blocks = _blocks.Values.Where(block => block.Block.Batch == _version).ToList();
        var full = GrantedIn(_version) == options.Batch || (drained && blocks.Count > 0);
        if (drained && _blocks.Count == 0 && !Done)
        {
            Done = true;
            _authority!.Announce(new LearnerStopped(_epoch, "the input has ended", InputEnded: true));
        }
        if (!full || blocks.Any(block => block.Computed is null))
            return false;
        foreach (var (block, computed) in blocks)
        {
            Assert.Equal(block.Count, computed!.Pools.Count);
            for (var i = 0; i < block.Count; i++)
            {
                var pool = computed.Pools[i];
                Assert.Equal(pool is null, _diedInSlot.Remove(block.First + i, out var letter));
                if (letter is not null)
                    Bury(letter);
                if (pool is null)
                    continue;
                Assert.True(_settled.Add(pool.Position), $"{pool.Position} is trained on twice");
                Applied.Add(pool.Position);
            }
            _blocks.Remove(block.First);
            LetGo += block.Count;
        }
        _version++;
        _authority!.Announce(new BatchClosed(_epoch, _version));
        return true;
    }

    private long GrantedIn(long batch) => _blocks.Values.Where(block => block.Block.Batch == batch).Sum(block => block.Block.Count);

    private void Bury(DeadLetter letter)
    {
        Assert.True(_settled.Add(letter.Position), $"{letter.Position} dies twice");
        Dead.Add(letter);
    }

    private void Ask(string selector) => pools.Request(selector, block =>
    {
        context.Self.Post(new ModelStep.Computed(block));
        Ask(selector);
    });
}
