using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Running;

/// <summary>A learner alone, told by the test itself what intakes and selectors would tell it.</summary>
internal sealed class LearnerBench : IDisposable
{
    public const string Intake = MadeRun.Source;
    public const string Selector = "selector";

    private readonly MadeRun _made;
    private readonly List<ControlNotice> _notices = [];
    private readonly ISnapshotSubscription _snapshots;
    private readonly IDisposable _membership;
    private int _taken;
    private int _next;

    public LearnerBench(MadeRun made, string output, IFiles? files = null)
    {
        _made = made;
        Process = new LearnerProcess(made, output, files ?? new FaultyFiles(), seed: 1);
        _membership = Process.Control.Join("bench", _notices.Add);
        _snapshots = Process.Snapshots.Subscribe(() => { });
    }

    public LearnerProcess Process { get; }

    public long Epoch { get; private set; }

    /// <summary>The newest snapshot, once there is one of this version. The caller disposes it.</summary>
    public SnapshotLease Policy(long version = 0)
    {
        SnapshotLease? lease = null;
        Process.Host.RunUntil(() =>
        {
            lease?.Dispose();
            return (lease = _snapshots.TryAcquire())?.Version == version;
        });
        return lease!;
    }

    /// <summary>Notices since the last call.</summary>
    public IReadOnlyList<ControlNotice> Heard()
    {
        var heard = _notices.Skip(_taken).ToList();
        _taken = _notices.Count;
        return heard;
    }

    /// <summary>Tells the learner and waits until it has handled it.</summary>
    public void Tell(ControlMessage message)
    {
        var before = Process.Messages;
        Process.Host.RunToEnd(() => Process.Control.SendAsync(message, default).AsTask());
        Process.Host.RunUntil(() => Process.Messages > before);
    }

    public void Tell(LearnerMessage message)
    {
        var before = Process.Messages;
        Process.Learner.Post(message);
        Process.Host.RunUntil(() => Process.Messages > before);
    }

    public void Send(SelectionBlock block)
    {
        var before = Process.Messages;
        Process.Host.RunToEnd(() => Process.Selections.SendAsync(block, default).AsTask());
        Process.Host.RunUntil(() => Process.Messages > before);
    }

    /// <summary>Confirms the published policy, so that the epoch opens.</summary>
    public EpochOpened Open(long version = 0)
    {
        using var policy = Policy(version);
        Tell(new SnapshotConfirmed(Selector, policy.Epoch, policy.Version, policy.Hash));
        var opened = Assert.IsType<EpochOpened>(Assert.Single(Heard()));
        Epoch = opened.Epoch;
        _next = _made.Records.TakeWhile(record => opened.Settled.Contains(record.Position)).Count();
        return opened;
    }

    /// <summary>Asks for slots for so many records in all of this epoch; the blocks granted now, with the records that are next.</summary>
    public List<PoolBlock> Ask(long offered, bool ended = false)
    {
        Tell(new SlotRequest(Intake, Epoch, offered, ended ? [new PassEnd(Intake, 0, _made.Records.Count)] : [], ended, InputShare.All(Intake)));
        return Granted();
    }

    public List<PoolBlock> Granted() => [.. Heard().OfType<SlotsGranted>().Select(granted =>
        new PoolBlock(granted.Block, [.. Enumerable.Range(0, granted.Block.Count).Select(_ => _made.Records[_next++])]))];

    /// <summary>Computes a block with the policy of a version and sends it.</summary>
    public void Compute(PoolBlock block, long version)
    {
        using var policy = Policy(version);
        Send(_made.Compute(block, policy, Selector));
    }

    public void Dispose()
    {
        _snapshots.Dispose();
        _membership.Dispose();
        Process.Dispose();
    }
}
