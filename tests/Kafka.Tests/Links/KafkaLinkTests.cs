using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Links;
using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.Kafka.Tests.Links;

/// <summary>A broker for the tests of a class, a topic for each of them, and the ends that a test asked for.</summary>
public sealed class LinkScene : IDisposable
{
    private readonly MockBroker _broker = new();
    private int _topics;

    /// <summary>A new topic.</summary>
    public Ends<T> Topic<T>(int partitions, Func<KafkaLinkOptions, string, T> open) where T : IDisposable
    {
        var topic = $"topic-{Interlocked.Increment(ref _topics)}";
        _broker.CreateTopic(topic, partitions);
        // The mock cluster does not wake a fetch that waits.
        return new Ends<T>(new KafkaOptions(_broker.Bootstrap, [new("fetch.wait.max.ms", "5")]), topic, open);
    }

    public void Dispose() => _broker.Dispose();
}

/// <summary>Ends of one link, each with clients of its own.</summary>
public sealed class Ends<T>(KafkaOptions kafka, string topic, Func<KafkaLinkOptions, string, T> open) : IDisposable where T : IDisposable
{
    private readonly List<T> _ends = [];

    public KafkaOptions Kafka => kafka;

    public string Topic => topic;

    /// <summary>What went wrong, and what a person should hear.</summary>
    public Inbox<string> Notes { get; } = new();

    public List<Exception> Failures { get; } = [];

    public T End()
    {
        var end = open(new KafkaLinkOptions(kafka, topic, Failures.Add, Notes.Add), topic);
        _ends.Add(end);
        return end;
    }

    public void Dispose()
    {
        foreach (var end in _ends)
            end.Dispose();
        Assert.Empty(Failures);
    }
}

public sealed class KafkaControlLinkTests(LinkScene scene) : ControlLinkContract, IClassFixture<LinkScene>, IDisposable
{
    private readonly Ends<KafkaControlLink> _ends = scene.Topic(2, (options, topic) => new KafkaControlLink(options, topic));

    protected override IControlLink End() => _ends.End();

    [Fact]
    public async Task Who_joins_after_the_learner_has_stopped_hears_that_too_until_another_claims()
    {
        using var authority = await End().ClaimAsync(new EpochClaim(1, 0, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        authority.Announce(new EpochOpened(1, 0, new SettledPositions()));
        authority.Announce(new LearnerStopped(1, "the input has ended", InputEnded: true));
        var (late, notices) = (End(), new Inbox<ControlNotice>());
        using (late.Join("late", notices.Add))
            Assert.Equal([typeof(EpochOpened), typeof(LearnerStopped)], (await notices.Take(2)).Select(notice => notice.GetType()));
        using var next = await late.ClaimAsync(new EpochClaim(2, 0, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        var after = new Inbox<ControlNotice>();
        using var member = late.Join("later", after.Add);
        next.Announce(new EpochOpened(2, 0, new SettledPositions()));
        Assert.Equal(2, Assert.IsType<EpochOpened>((await after.Take(1))[0]).Epoch);
    }

    public void Dispose() => _ends.Dispose();
}

public sealed class KafkaSelectionsLinkTests(LinkScene scene) : SelectionsLinkContract, IClassFixture<LinkScene>, IDisposable
{
    private readonly Ends<KafkaSelectionsLink> _ends = scene.Topic(3, (options, topic) => new KafkaSelectionsLink(options, topic));

    protected override ISelectionsLink End() => _ends.End();

    public void Dispose() => _ends.Dispose();
}

public sealed class KafkaSnapshotsLinkTests(LinkScene scene) : SnapshotsLinkContract, IClassFixture<LinkScene>, IDisposable
{
    // Ten chunks over four partitions.
    private readonly Ends<KafkaSnapshotsLink> _ends = scene.Topic(5, (options, topic) => new KafkaSnapshotsLink(options, topic, new NamedTensorsFormat(size: 600_000)));

    protected override ISnapshotsLink End() => _ends.End();

    public void Dispose() => _ends.Dispose();
}
