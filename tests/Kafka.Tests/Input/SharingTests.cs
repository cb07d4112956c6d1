using MassDpo.Shared.Contracts;

namespace MassDpo.Kafka.Tests.Input;

/// <summary>Sources of one group that come and go.</summary>
public sealed class SharingTests(InputTopic topic) : IClassFixture<InputTopic>
{
    [Fact]
    public async Task Two_sources_that_come_and_go_read_every_position_once()
    {
        const string name = "shared";
        topic.Broker.CreateTopic(name, 4);
        topic.Produce(name, 4, 100);
        var run = new ModelRun();
        var first = run.Join(await topic.OpenAsync(InputTopic.Options(name)));
        await run.UntilAsync(() => run.Applied.Count == 100);
        Assert.Equal(4, first.Share!.Sources.Count);
        Assert.Equal(4, first.Share.Total);
        var second = run.Join(await topic.OpenAsync(InputTopic.Options(name)));
        topic.Produce(name, 4, 100);
        await run.UntilSharedAsync(2, 2);
        await run.UntilAsync(() => run.Applied.Count == 200);
        topic.Produce(name, 4, 100);
        await run.UntilAsync(() => run.Applied.Count == 300);
        Assert.Equal((2, 2), (first.Source.AssignedPartitions, second.Source.AssignedPartitions));
        await run.LeaveAsync(first);
        topic.Produce(name, 4, 100);
        await run.UntilSharedAsync(4);
        await run.UntilAsync(() => run.Applied.Count == 400);
        topic.End(name, 4);
        await run.UntilAsync(() => second.HasEnded);
        Assert.Equal(Enumerable.Range(0, 4).SelectMany(p => Enumerable.Range(0, 100).Select(i => new Position($"{name}/{p}", 0, i))).ToHashSet(), run.Applied.ToHashSet());
        Assert.Equal(400, run.Applied.Count);
        await run.StopAllAsync();
    }
}
