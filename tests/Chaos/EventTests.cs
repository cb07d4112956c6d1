using MassDpo.ChaosKit;
using MassDpo.Shared.Links;

namespace MassDpo.Chaos;

/// <summary>The process is killed at an event or in the middle of an append; run again it comes to the bits of a run that was never interrupted.</summary>
public sealed class EventTests(ChaosRuns runs) : IClassFixture<ChaosRuns>
{
    [Theory]
    [InlineData("the epoch is claimed and nobody knows", Events.Claimed, 1)]
    [InlineData("the first policy is published", Events.Published, 1)]
    [InlineData("the epoch is open", nameof(EpochOpened), 1)]
    [InlineData("slots are granted", nameof(SlotsGranted), 20)]
    [InlineData("a selector has a block", nameof(BlockHeld), 30)]
    [InlineData("the 50th block of selections is about to be sent", Events.BlockComputed, 50)]
    [InlineData("the 100th selection is told", Events.SelectionTold, 100)]
    [InlineData("the first batch is closed, long before the first checkpoint", nameof(BatchClosed), 1)]
    [InlineData("a policy is published, its batch is in the logs and not in a checkpoint", Events.Published, 12)]
    [InlineData("a record has died", nameof(PositionDead), 4)]
    [InlineData("a pass has ended", Events.PassEnded, 1)]
    [InlineData("the last batch is closed", nameof(BatchClosed), 49)]
    [InlineData("the end is told to all", nameof(LearnerStopped), 1)]
    public async Task As(string moment, string name, int nth)
    {
        var output = runs.NewOutput();
        await runs.DieAsync(moment, Moment.Event(name, nth), runs.Words(output));
        await runs.EndAsUninterruptedAsync(output);
    }

    [Theory]
    [InlineData("selections*", 1)]
    [InlineData("selections*", 13)]
    [InlineData("updates*", 11)]
    [InlineData("metrics*", 24)]
    [InlineData("dead-letters*", 3)]
    public async Task In_the_middle_of_an_append(string log, int nth)
    {
        var output = runs.NewOutput();
        await runs.DieAsync(log, new Moment("append", $"*/out/{log}", nth), runs.Words(output));
        Assert.NotEqual((byte)'\n', File.ReadAllBytes(Directory.GetFiles(output, log).Order(StringComparer.Ordinal).Last())[^1]);
        await runs.EndAsUninterruptedAsync(output);
    }

    [Fact]
    public async Task Again_and_again_with_another_number_of_selectors_each_time()
    {
        var output = runs.NewOutput();
        (string Name, int Nth)[] deaths = [(Events.SelectionTold, 60), (Events.Published, 2), (nameof(BatchClosed), 7), (Events.BlockComputed, 9), (nameof(SlotsGranted), 15), (Events.Claimed, 1), (nameof(BatchClosed), 5)];
        foreach (var (death, i) in deaths.Select((death, i) => (death, i)))
            await runs.DieAsync($"death {i + 1}", Moment.Event(death.Name, death.Nth), runs.Words(output, "--selectors", i % 2 == 0 ? "4" : "1"));
        var ledger = await runs.EndApartAsync(output, runs.Words(output, "--selectors", "2"));
        ledger.CheckSameAs(runs.Uninterrupted);
        Assert.InRange(ledger.Epochs, 3, deaths.Length + 1);
    }

    [Theory]
    [InlineData("event", Events.SelectionTold, 150)]
    [InlineData("append", "*/out/updates*", 20)]
    [InlineData("rename", "*/checkpoints/v*.writing", 4)]
    public async Task With_staleness_every_position_is_settled_once_and_the_logs_rebuild_the_weights(string what, string of, int nth)
    {
        var output = runs.NewOutput();
        var words = runs.Words(output, "--max-staleness", "2", "--selectors", "2");
        await runs.DieAsync("at first", new Moment(what, of, nth), words);
        await runs.DieAsync("then", Moment.Event(Events.BlockComputed, 25), words);
        Assert.InRange((await runs.EndApartAsync(output, words)).Epochs, 2, 3);
        await runs.ReplayAsync(output);
    }
}
