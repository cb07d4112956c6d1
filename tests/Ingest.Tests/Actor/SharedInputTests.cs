using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;

namespace MassDpo.Ingest.Tests.Actor;

/// <summary>An intake that reads a share of an input which others read too, each on many schedules.</summary>
public sealed class SharedInputTests
{
    private const int Seeds = 100;

    private static readonly SourceEntry Changed = new SourceEntry.Changed(default);
    private static readonly SourceEntry Ended = new SourceEntry.Ended(default);

    private static void OnManySchedules(Action<int> scene)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            try
            {
                scene(seed);
            }
            catch (Exception e)
            {
                throw new Xunit.Sdk.XunitException($"seed {seed}: {e.Message}", e);
            }
        }
    }

    [Fact]
    public void It_says_that_it_shares_and_each_request_names_its_share() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new SharedSource([SharedSource.Share(4, 1, 3), .. SharedSource.Records(1, 0, 5)]));
        scene.Open();
        scene.Settle();
        Assert.Equal(new IntakeReady(IntakeScene.Name, 1, Shared: true), scene.Heard[0]);
        Assert.Equal(5, scene.Requests.Last().Offered);
        Assert.All(scene.Requests, request => Assert.Equal((4, "topic/1,topic/3", false), (request.Share.Total, string.Join(",", request.Share.Sources), request.Ended)));
        scene.Stop();
    });

    [Fact]
    public void Positions_without_a_record_are_told_and_offered_to_nobody() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new SharedSource([SharedSource.Share(2, 0), SharedSource.Skipped(0, 0, 7, SkipReason.BeforeStart), SharedSource.Skipped(0, 7, 9, SkipReason.Lost),
            SharedSource.Record(0, 9), SharedSource.Skipped(0, 10, 12, SkipReason.Absent), SharedSource.Record(0, 12)]));
        scene.Open();
        scene.Settle();
        Assert.Equal([new PositionsSkipped(IntakeScene.Name, 1, new Position("topic/0", 0, 0), 7, SkipReason.BeforeStart), new PositionsSkipped(IntakeScene.Name, 1, new Position("topic/0", 0, 7), 9, SkipReason.Lost),
            new PositionsSkipped(IntakeScene.Name, 1, new Position("topic/0", 0, 10), 12, SkipReason.Absent)], scene.Heard.OfType<PositionsSkipped>());
        Assert.Equal(2, scene.Requests.Last().Offered);
        scene.Grant(first: 0, count: 2);
        scene.Settle();
        Assert.Equal(["topic/0:0:9", "topic/0:0:12"], scene.Got.SelectMany(block => block.Pools).Select(pool => pool!.Id));
        scene.Stop();
    });

    [Fact]
    public void After_a_change_it_reads_nothing_more_keeps_what_it_has_and_begins_anew_with_the_epoch() => OnManySchedules(seed =>
    {
        var source = new SharedSource([SharedSource.Share(2, 0, 1), .. SharedSource.Records(0, 0, 4), Changed, .. SharedSource.Records(0, 4, 4)],
            [SharedSource.Share(2, 1), .. SharedSource.Records(1, 0, 3)]);
        var scene = new IntakeScene(seed, source);
        scene.Open();
        scene.Settle();
        Assert.Equal(new IntakeChanged(IntakeScene.Name, 1), Assert.Single(scene.Heard.OfType<IntakeChanged>()));
        Assert.Equal(4, scene.Requests.Last().Offered);
        // What the learner had granted before it heard is still filled, and handed out again.
        var block = scene.Grant(first: 0, count: 2);
        scene.Settle();
        scene.Reissue(block with { Attempt = 2 });
        scene.Settle();
        Assert.Equal([1, 2], scene.Got.Select(got => got.Block.Attempt));
        scene.Close(version: 1);
        scene.Settle();
        Assert.Equal(4, scene.Requests.Last().Offered);
        var settled = new SettledPositions();
        settled.AddRange(new Position("topic/0", 0, 0), 2);
        settled.Add(new Position("topic/1", 0, 1));
        scene.Open(version: 1, settled);
        scene.Settle();
        Assert.Equal(2, source.Reads.Count);
        Assert.Equal(2, source.Reads[1].Watermark("topic/0").Index);
        // Above the watermark too, what is settled is passed over.
        var last = scene.Requests.Last();
        Assert.Equal((2, 2, "topic/1"), (last.Epoch, last.Offered, string.Join(",", last.Share.Sources)));
        scene.Grant(first: 2, count: 2, batch: 1);
        scene.Settle();
        Assert.Equal(["topic/1:0:0", "topic/1:0:2"], scene.Got[^1].Pools.Select(pool => pool!.Id));
        Assert.Single(scene.Heard.OfType<IntakeChanged>());
        scene.Stop();
    });

    [Fact]
    public void The_end_of_a_share_is_told_once_and_a_change_is_heard_after_it() => OnManySchedules(seed =>
    {
        var source = new SharedSource([SharedSource.Share(2, 0), .. SharedSource.Records(0, 0, 7), Ended], [SharedSource.Share(2, 0, 1), .. SharedSource.Records(1, 0, 3)]);
        var scene = new IntakeScene(seed, source);
        scene.Open();
        scene.Settle();
        var end = Assert.Single(scene.Requests, request => request.Ended);
        Assert.Equal((7, "topic/0", 2), (end.Offered, string.Join(",", end.Share.Sources), end.Share.Total));
        Assert.Same(scene.Heard[^1], end);
        source.Tell(Changed);
        scene.Settle();
        Assert.Equal(new IntakeChanged(IntakeScene.Name, 1), scene.Heard[^1]);
        scene.Open(version: 1);
        scene.Settle();
        var last = scene.Requests.Last();
        Assert.Equal((2, 3, false), (last.Epoch, last.Offered, last.Ended));
        scene.Stop();
    });

    [Fact]
    public void A_share_of_nothing_does_not_end_and_what_a_checkpoint_holds_reaches_the_source() => OnManySchedules(seed =>
    {
        var source = new SharedSource([SharedSource.Share(2)], [SharedSource.Share(2, 1)]);
        var scene = new IntakeScene(seed, source);
        scene.Open();
        scene.Settle();
        Assert.Empty(scene.Requests);
        var settled = new SettledPositions();
        settled.AddRange(new Position("topic/0", 0, 0), 5);
        scene.Announce(new CheckpointWritten(1, 1, settled));
        scene.Settle();
        Assert.Same(settled, Assert.Single(source.Commits));
        source.Tell(Changed);
        scene.Settle();
        Assert.Single(scene.Heard.OfType<IntakeChanged>());
        scene.Stop();
    });
}
