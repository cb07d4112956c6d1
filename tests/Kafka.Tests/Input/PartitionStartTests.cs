using MassDpo.Kafka.Input;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Tests.Input;

public sealed class PartitionStartTests
{
    private const string Source = "records/3";

    private static SettledPositions Settled(params (long From, long To)[] ranges)
    {
        var settled = new SettledPositions();
        foreach (var (from, to) in ranges)
            settled.AddRange(new Position(Source, 0, from), to);
        return settled;
    }

    private static SourceEntry.Skipped Skipped(long from, long to, SkipReason reason) => new(new Position(Source, 0, from), to, reason);

    [Fact]
    public void A_partition_that_is_known_goes_on_at_its_watermark_whatever_is_told_of_starts()
    {
        var start = PartitionStart.Of(Source, Settled((0, 7), (9, 12)), low: 3, high: 20, () => throw new InvalidOperationException());
        Assert.Equal(7, start.Next);
        Assert.Empty(start.Skipped);
    }

    [Fact]
    public void A_decision_is_remembered_even_where_nothing_lies_before_it()
    {
        var settled = new SettledPositions();
        var start = PartitionStart.Of(Source, settled, low: 0, high: 0, () => 0);
        var skipped = Assert.Single(start.Skipped);
        Assert.Equal(Skipped(0, 0, SkipReason.BeforeStart), skipped);
        settled.AddRange(skipped.Position, skipped.To);
        // It is kept with a checkpoint.
        var kept = SettledPositions.FromJson(settled.ToJson());
        Assert.Empty(PartitionStart.Of(Source, kept, low: 0, high: 50, () => 50).Skipped);
        Assert.Equal(0, PartitionStart.Of(Source, kept, low: 0, high: 50, () => 50).Next);
    }

    [Fact]
    public void What_is_gone_is_lost_whether_it_lies_above_the_watermark_or_above_the_start()
    {
        Assert.Equal([Skipped(7, 10, SkipReason.Lost)], PartitionStart.Of(Source, Settled((0, 7)), low: 10, high: 20, () => 0).Skipped);
        var fresh = PartitionStart.Of(Source, new SettledPositions(), low: 10, high: 20, () => 4);
        Assert.Equal([Skipped(0, 4, SkipReason.BeforeStart), Skipped(4, 10, SkipReason.Lost)], fresh.Skipped);
        Assert.Equal(10, fresh.Next);
    }

    [Fact]
    public void What_is_settled_beyond_the_end_is_refused_with_the_remedy()
    {
        var refusal = Assert.Throws<InvalidDataException>(() => PartitionStart.Of(Source, Settled((0, 21)), low: 10, high: 20, () => 0));
        foreach (var part in new[] { Source, "20", "21", "another output directory" })
            Assert.Contains(part, refusal.Message);
        Assert.Equal(20, PartitionStart.Of(Source, Settled((0, 20)), low: 10, high: 20, () => 0).Next);
    }
}
