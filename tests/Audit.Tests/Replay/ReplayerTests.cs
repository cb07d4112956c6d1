using MassDpo.Audit.Logs;
using MassDpo.Audit.Replay;
using MassDpo.Shared.Contracts;

namespace MassDpo.Audit.Tests.Replay;

/// <summary>Logs that agree rebuild the weights; whatever disagrees is named with its place.</summary>
public sealed class ReplayerTests
{
    [Fact]
    public async Task Logs_that_agree_rebuild_the_weights()
    {
        using var run = new MadeRun();
        var (toy, told) = (new Toy(), new List<long>());
        var result = await run.Replay(toy, update => told.Add(update.Version));
        Assert.Equal(new ReplayResult(3, 5, run.Hash), result);
        Assert.Equal([1, 2, 3], told);
        Assert.Equal(["made:0:0 2 -1,-2", "made:0:1 2 -1,-2", "made:0:2 2 -1,-2", "nothing", "made:0:4 2 -1,-2", "made:0:3 2 -1,-2"], toy.Trained);
    }

    [Fact]
    public async Task What_two_runs_of_the_same_stream_may_differ_in_does_not_matter()
    {
        using var run = new MadeRun();
        MadeRun.Edit(run.Selections, 2, "\"epoch\":0,\"selector\":\"\"", "\"epoch\":7,\"selector\":\"another\"");
        Assert.Equal(run.Hash, (await run.Replay()).PolicyHash);
    }

    [Theory]
    [InlineData("\"gain\":0.5", "\"gain\":0.6")]
    [InlineData("\"index\":2", "\"index\":1")]
    [InlineData("\"logp_ref\":-2", "\"logp_ref\":-3")]
    [InlineData("\"method\":\"made\"", "\"method\":\"mass\"")]
    public async Task An_edited_event_is_found(string text, string by)
    {
        using var run = new MadeRun();
        MadeRun.Edit(run.Selections, 3, text, by);
        await Refused(run, "version 2, slot 2", "made:0:2", run.Updates, run.Selections);
    }

    [Fact]
    public async Task Two_events_that_changed_places_are_found()
    {
        using var run = new MadeRun();
        var lines = File.ReadAllLines(run.Selections);
        File.WriteAllLines(run.Selections, [lines[1], lines[0], .. lines[2..]]);
        await Refused(run, "version 1, slot 0", "made:0:0", "that of made:0:1");
    }

    [Fact]
    public async Task A_missing_event_is_found()
    {
        using var run = new MadeRun();
        MadeRun.DeleteLine(run.Selections, 3);
        await Refused(run, "version 2, slot 2", "the event of made:0:2", "that of made:0:4");
    }

    [Fact]
    public async Task A_missing_last_event_is_found()
    {
        using var run = new MadeRun();
        MadeRun.DeleteLine(run.Selections, 5);
        await Refused(run, run.Selections, "no event for made:0:3", "version 3");
    }

    [Fact]
    public async Task An_extra_event_is_found()
    {
        using var run = new MadeRun();
        File.AppendAllLines(run.Selections, File.ReadLines(run.Selections).Take(1).ToList());
        await Refused(run, run.Selections, "an event for made:0:0", run.Updates);
    }

    [Theory]
    [InlineData("\"made:0:2\"", "\"made:0:3\"", "version 2, slot 2")]
    [InlineData("\"first\":2", "\"first\":3", "version 2: ", "slot 3", "in slot 2")]
    [InlineData("\"learning_rate\":0.2", "\"learning_rate\":0.3", "version 2: the learning rate is 0.2", "says 0.3")]
    [InlineData("\"loss\":", "\"loss\":1", "version 2: the loss is ")]
    [InlineData("\"blocks\":[1,1]", "\"blocks\":[1]", "version 2 has 2 positions, 2 events, and blocks of 1 slots")]
    [InlineData(",null],\"blocks\"", "],\"blocks\"", "version 2 has 2 positions, 1 events")]
    public async Task An_edited_update_is_found(string text, string by, params string[] words)
    {
        using var run = new MadeRun();
        MadeRun.Edit(run.Updates, 2, text, by);
        await Refused(run, [.. words, run.Updates]);
    }

    [Fact]
    public async Task An_update_that_names_another_event_is_found()
    {
        using var run = new MadeRun();
        var hash = RunLog.Events(run.Selections).First().Hash;
        MadeRun.Edit(run.Updates, 1, hash, new string('0', hash.Length));
        await Refused(run, "version 1, slot 0", hash, new string('0', hash.Length));
    }

    [Theory]
    [InlineData(1, "version 2 follows version 0")]
    [InlineData(2, "version 3 follows version 1")]
    public async Task A_gap_between_versions_is_found(int line, string words)
    {
        using var run = new MadeRun();
        MadeRun.DeleteLine(run.Updates, line);
        await Refused(run, run.Updates, words);
    }

    [Fact]
    public async Task A_missing_last_update_is_found()
    {
        using var run = new MadeRun();
        MadeRun.DeleteLine(run.Updates, 3);
        await Refused(run, "an event for made:0:4", run.Updates);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Other_data_is_found_in_what_was_trained_on(int candidate)
    {
        using var run = new MadeRun();
        var toy = new Toy { Change = pool => pool with { Record = pool.Record with { Candidates = [.. pool.Record.Candidates.Select((text, i) => i == candidate ? text + "!" : text)] } } };
        await Refused(run, toy, $"candidate {candidate} of the record at made:0:0", "the data is another");
    }

    [Fact]
    public async Task A_pool_of_another_size_is_found()
    {
        using var run = new MadeRun();
        var toy = new Toy { Change = pool => pool with { Record = pool.Record with { Candidates = [.. pool.Record.Candidates, "one more"] } } };
        await Refused(run, toy, "the record at made:0:0 has 4 candidates, its event 3", "the data is another");
    }

    [Fact]
    public async Task Another_policy_is_found()
    {
        using var run = new MadeRun();
        await Refused(run, new Toy { Weights = "another start" }, "the event of made:0:0", "of version 0", new Toy().Hash(), new Toy { Weights = "another start" }.Hash());
    }

    [Fact]
    public async Task A_loss_that_comes_out_otherwise_is_found()
    {
        using var run = new MadeRun();
        await Refused(run, new Toy { Off = 1e-15 }, "version 1: the loss is ", "another build, device or number of threads");
        await Refused(run, new Toy { Rate = 2 }, "version 1: the learning rate is 0.2");
    }

    [Fact]
    public async Task A_version_that_is_still_to_come_is_no_version()
    {
        using var run = new MadeRun(e => e.Position == MadeRun.At(2) ? e with { Version = 2 } : e);
        await Refused(run, "the event of made:0:2", "of version 2", "no such version");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(-1)]
    public async Task A_pick_outside_the_pool_is_found(int pick)
    {
        using var run = new MadeRun(e => e with { Picks = [new PickEvent(pick, null, null, null)] });
        await Refused(run, "the event of made:0:0", $"candidate {pick} of 3");
    }

    [Fact]
    public async Task A_pick_without_its_reference_is_found()
    {
        using var run = new MadeRun(e => e with { Picks = [new PickEvent(1, null, null, null)] });
        await Refused(run, "the event of made:0:0", "no reference log-probability for candidate 1");
    }

    [Fact]
    public async Task A_malformed_line_is_named()
    {
        using var run = new MadeRun();
        MadeRun.Edit(run.Updates, 2, "\"version\":2", "\"version\":\"two\"");
        var error = await Assert.ThrowsAsync<LogFormatException>(() => run.Replay());
        Assert.StartsWith($"{run.Updates}, line 2: ", error.Message);
    }

    [Fact]
    public async Task It_ends_when_it_is_cancelled()
    {
        using var run = new MadeRun();
        using var cancellation = new CancellationTokenSource();
        var told = new List<long>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run.Replay(progress: update =>
        {
            told.Add(update.Version);
            cancellation.Cancel();
        }, cancellation: cancellation.Token));
        Assert.Equal([1], told);
    }

    private static Task Refused(MadeRun run, params string[] words) => Refused(run, new Toy(), words);

    private static async Task Refused(MadeRun run, Toy toy, params string[] words)
    {
        var error = await Assert.ThrowsAsync<ReplayException>(() => run.Replay(toy));
        Assert.All(words, word => Assert.Contains(word, error.Message));
    }
}
