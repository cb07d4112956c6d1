using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Selection.Kernels;
using MassDpo.Selection.References;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;
using MassDpo.TestKit.Simulation;

namespace MassDpo.Selection.Tests;

/// <summary>A selector among links that a test holds back.</summary>
public sealed class SelectorActorTests : IDisposable
{
    private const string Name = "selector-1";
    private const int Staleness = 2;
    private static readonly PolicyConfig Config = MadePolicy.Config(vocabulary: 60);

    private readonly SimulatedHost _host = new(seed: 1);
    private readonly PolicyWeights _found = MadePolicy.Weights(Config);
    private readonly LlamaModel _model = new(Config);
    private readonly HeldBack<ControlMessage> _control = new(passes: true);
    private readonly HeldBack<SelectionBlock> _selections = new(passes: false);
    private readonly LocalPoolsLink _pools = new();
    private readonly LocalSnapshotsLink _snapshots = new();
    // As a link delivers what was on its way when the request was taken back.
    private Action<PoolBlock>? _late;

    public SelectorActorTests()
    {
        var options = new SelectionOptions(SelectionMethod.All, new KernelOptions { Negatives = 3, Beta = 1 }, Seed: 1, MetricsSample: 0, EffectiveRank: false, IncludeMeta: false);
        _host.Spawn<SelectorMessage>(Name, context => new SelectorActor(context, new SelectionEngine(new PoolScorer(_model), new SharedTensors(_found), new ReferenceCache(1 << 20, "scoring"), options, context.Clock),
            new Control(_control), new Pools(_pools, deliver => _late = deliver), new Selections(_selections), _snapshots, new SelectorOptions(Name, Staleness, default, Heartbeat: TimeSpan.FromSeconds(3))));
    }

    public void Dispose()
    {
        _selections.PassAll();
        _control.PassAll();
        _host.Stop();
        _snapshots.Dispose();
        _found.Dispose();
        _model.Dispose();
    }

    [Fact]
    public async Task It_takes_the_next_block_while_it_has_one_and_no_third()
    {
        await OfferAsync(0, 1, 2, 3);
        _host.RunUntil(() => Held.Count() == 2);
        Assert.Equal([0, 4], Held.Select(block => block.First));
        // Who has none comes first, and gets what is left.
        var others = new List<long>();
        _pools.Request("other", block => others.Add(block.Block.First));
        _pools.Request("other", block => others.Add(block.Block.First), isAhead: true);
        Assert.Equal([8, 12], others);
        Publish(version: 0);
        _host.RunUntil(() => _selections.All.Count == 1);
        _selections.PassAll();
        _host.RunUntil(() => _selections.All.Count == 2);
        Assert.Equal([0, 4], _selections.All.Select(block => block.Block.First));
    }

    [Fact]
    public async Task One_block_is_on_its_way_at_a_time_and_the_next_is_computed_meanwhile()
    {
        Publish(version: 0);
        await OfferAsync(0, 1, 2);
        // The second one is computed and waits; what comes after it is not looked at.
        _host.RunUntil(() => Held.Count() == 2);
        var now = _host.Clock.GetUtcNow();
        _host.RunUntil(() => _host.Clock.GetUtcNow() > now);
        Assert.Equal(2, Held.Distinct().Count());
        Assert.Equal([0], _selections.All.Select(block => block.Block.First));
        for (var sent = 2; sent <= 3; sent++)
        {
            _selections.PassAll();
            _host.RunUntil(() => _selections.All.Count == sent);
        }
        Assert.Equal([0, 4, 8], _selections.All.Select(block => block.Block.First));
        Assert.All(_selections.All, block => Assert.Equal((Name, 0L, 4), (block.Selector, block.Version, block.Selections.Count)));
    }

    [Fact]
    public async Task What_cannot_be_sent_ends_the_incarnation_and_the_learner_hears_of_the_next()
    {
        Publish(version: 0);
        await OfferAsync(0);
        _host.RunUntil(() => _selections.All.Count == 1);
        _selections.FailAll(new IOException("no way"));
        _host.RunUntil(() => _control.All.OfType<SelectorReady>().Count() == 2);
        Assert.Equal([1, 2], _control.All.OfType<SelectorReady>().Select(ready => ready.Incarnation));
        await OfferAsync(1);
        _host.RunUntil(() => _selections.All.Count == 2);
        Assert.Equal([0, 4], _selections.All.Select(block => block.Block.First));
    }

    [Fact]
    public async Task It_tells_of_all_that_it_holds_but_not_again_before_it_was_heard()
    {
        await OfferAsync(0, 1);
        _host.RunUntil(() => Held.Count() == 6);
        Assert.Equal([0, 0, 0, 4, 4, 4], Held.Select(block => block.First).Order());
        _control.Passes = false;
        _host.RunUntil(() => Held.Count() == 8);
        var now = _host.Clock.GetUtcNow();
        _host.RunUntil(() => _host.Clock.GetUtcNow() > now + TimeSpan.FromMinutes(1));
        Assert.Equal(8, Held.Count());
        _control.PassAll();
        _host.RunUntil(() => Held.Count() == 10);
    }

    [Fact]
    public async Task The_first_slots_are_computed_first_and_what_is_over_is_let_go_of()
    {
        await OfferAsync(3);
        _host.RunUntil(() => Held.Count() == 1);
        await OfferAsync(0);
        _host.RunUntil(() => Held.Count() == 2);
        // Batch 0 is closed; batch 3 needs version 1.
        Publish(version: 1);
        _host.RunUntil(() => _selections.All.Count == 1);
        Assert.Equal((12, 1), (_selections.All[0].Block.First, _selections.All[0].Version));
        _selections.PassAll();
        // Of a newer epoch there is no policy yet: it waits, the other is over.
        await OfferOfAsync(2, 4);
        await OfferOfAsync(1, 4);
        Publish(version: 4, epoch: 2);
        _host.RunUntil(() => _selections.All.Count == 2);
        Assert.Equal((2, 16, 4), (_selections.All[1].Block.Epoch, _selections.All[1].Block.First, _selections.All[1].Version));
    }

    [Fact]
    public async Task It_gives_back_what_it_has_when_it_stops_and_what_comes_after()
    {
        await OfferAsync(0);
        _host.RunUntil(() => Held.Count() == 1);
        // Delivered, and not looked at.
        await OfferAsync(1);
        _host.Stop();
        Assert.Equal([0, 4], Returned().Order());
        // Its requests are taken back; what was on its way by then comes back too.
        await OfferAsync(2);
        Assert.Equal(2, Returned().Count());
        _late!(Block(1, 3));
        Assert.Equal(12, Returned().Last());

        IEnumerable<long> Returned() => _control.All.OfType<BlockFailed>().Where(failed => failed.Failures.Count == 0).Select(failed => failed.Block.First);
    }

    private IEnumerable<SlotBlock> Held => _control.All.OfType<BlockHeld>().Select(held => held.Block);

    private void Publish(long version, long epoch = 1) => _snapshots.Publish(new PolicySnapshot(epoch, version, MadePolicy.Weights(Config, seed: 2)));

    private Task OfferAsync(params long[] batches) => OfferOfAsync(1, batches);

    // A block of four for each batch.
    private async Task OfferOfAsync(long epoch, params long[] batches)
    {
        foreach (var batch in batches)
            await _pools.OfferAsync(Block(epoch, batch), default);
    }

    private static PoolBlock Block(long epoch, long batch) => new(new SlotBlock(epoch, batch, batch * 4, 4, 1),
        [.. Enumerable.Range(0, 4).Select(i => MadeSelection.Pool(new EncodedPool([1, 2], [[3], [4], [5]]), new Position("made", 0, batch * 4 + i)))]);

    /// <summary>What was sent, and may not have arrived.</summary>
    private sealed class HeldBack<T>(bool passes)
    {
        private readonly List<TaskCompletionSource> _waiting = [];

        public List<T> All { get; } = [];

        public bool Passes { get; set; } = passes;

        public ValueTask SendAsync(T sent)
        {
            All.Add(sent);
            if (Passes)
                return ValueTask.CompletedTask;
            _waiting.Add(new TaskCompletionSource());
            return new ValueTask(_waiting[^1].Task);
        }

        public void PassAll()
        {
            var waiting = _waiting.ToList();
            _waiting.Clear();
            waiting.ForEach(one => one.SetResult());
        }

        public void FailAll(Exception reason)
        {
            var waiting = _waiting.ToList();
            _waiting.Clear();
            waiting.ForEach(one => one.SetException(reason));
        }
    }

    private sealed class Control(HeldBack<ControlMessage> sent) : IControlLink
    {
        public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced, CancellationToken cancellation) => throw new NotSupportedException();

        public IDisposable Join(string member, Action<ControlNotice> deliver) => throw new NotSupportedException();

        public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => sent.SendAsync(message);
    }

    private sealed class Pools(LocalPoolsLink inner, Action<Action<PoolBlock>> asked) : IPoolsLink
    {
        public ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation) => inner.OfferAsync(block, cancellation);

        public void Request(string selector, Action<PoolBlock> deliver, bool isAhead)
        {
            asked(deliver);
            inner.Request(selector, deliver, isAhead);
        }

        public void Withdraw(string selector) => inner.Withdraw(selector);
    }

    private sealed class Selections(HeldBack<SelectionBlock> sent) : ISelectionsLink
    {
        public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation) => sent.SendAsync(block);

        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) => throw new NotSupportedException();
    }
}
