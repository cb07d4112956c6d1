using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;
using MassDpo.Shared.Sources;
using MassDpo.TestKit.Simulation;

namespace MassDpo.Ingest.Tests.Actor;

/// <summary>An intake on a seeded schedule whose learner and selectors do exactly what a test tells them.</summary>
internal sealed class IntakeScene
{
    public const string Name = "intake";

    private readonly OverheardLink _control = new();
    private readonly LocalPoolsLink _pools = new();
    private IControlAuthority? _authority;
    private long _epoch;

    public IntakeScene(int seed, IRecordSource source, int window = 8, Func<IPoolsLink, IPoolsLink>? withPools = null)
    {
        Host = new SimulatedHost(seed);
        var pools = withPools?.Invoke(_pools) ?? _pools;
        var options = new IngestOptions(Name, window);
        Host.Spawn<IngestMessage>(Name, context => new IngestActor(context, new ValidatedSource(source, NewValidator(), validators: 1), _control, pools, options));
    }

    public SimulatedHost Host { get; }

    /// <summary>What the learner has heard, in order.</summary>
    public List<ControlMessage> Heard { get; } = [];

    public IEnumerable<SlotRequest> Requests => Heard.OfType<SlotRequest>();

    public IEnumerable<PositionDead> Dead => Heard.OfType<PositionDead>();

    /// <summary>What the selectors have got, in order.</summary>
    public List<PoolBlock> Got { get; } = [];

    public static RecordValidator NewValidator() =>
        new(new RecordEncoder(WordLevelTokenizer.Create(["a", "b", "c"], splitsAtWhitespace: false), MadePolicy.Config()), Duplicates.Drop, 1 << 20);

    /// <summary>Claims and opens the next epoch.</summary>
    public void Open(long version = 0, SettledPositions? settled = null)
    {
        Claim();
        Announce(new EpochOpened(_epoch, version, settled ?? new SettledPositions()));
    }

    public void Claim()
    {
        _epoch++;
        _authority = _control.ClaimAsync(new EpochClaim(_epoch, 0, "h", Forced: true), (message, _) =>
        {
            Heard.Add(message);
            return ValueTask.CompletedTask;
        }, _ => { }, default).AsTask().GetAwaiter().GetResult();
    }

    public void Announce(ControlNotice notice) => _authority!.Announce(notice);

    /// <summary>Gives the intake a notice that the link would not deliver any more.</summary>
    public void Deliver(ControlNotice notice) => _control.Deliver!(notice);

    /// <summary>Grants a block, and asks for it as a selector.</summary>
    public SlotBlock Grant(long first, int count, long batch = 0, int attempt = 1)
    {
        var block = new SlotBlock(_epoch, batch, first, count, attempt);
        Announce(new SlotsGranted(_epoch, Name, block));
        Ask();
        return block;
    }

    public void Reissue(SlotBlock block, params SlotDeath[] deaths)
    {
        Announce(new BlockReissued(_epoch, Name, block, deaths));
        Ask();
    }

    public void Close(long version) => Announce(new BatchClosed(_epoch, version));

    /// <summary>Runs until nobody has anything to do.</summary>
    public void Settle() => Assert.Throws<SimulationStuckException>(() => Host.RunUntil(() => false));

    public void Stop() => Host.Stop();

    private void Ask() => _pools.Request("selector", Got.Add);

    /// <summary>A link that lets a test speak to its newest member.</summary>
    private sealed class OverheardLink : IControlLink
    {
        private readonly LocalControlLink _link = new();

        public Action<ControlNotice>? Deliver { get; private set; }

        public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver,
            Action<string> fenced, CancellationToken cancellation) => _link.ClaimAsync(claim, deliver, fenced, cancellation);

        public IDisposable Join(string member, Action<ControlNotice> deliver)
        {
            Deliver = deliver;
            return _link.Join(member, deliver);
        }

        public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => _link.SendAsync(message, cancellation);
    }
}
