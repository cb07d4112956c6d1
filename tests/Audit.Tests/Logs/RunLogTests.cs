using MassDpo.Audit.Logs;
using MassDpo.Audit.Tests.Replay;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;

namespace MassDpo.Audit.Tests.Logs;

public sealed class RunLogTests
{
    [Fact]
    public void Updates_come_back_as_they_were_written()
    {
        using var run = new MadeRun();
        var updates = RunLog.Updates(run.Updates).ToList();
        Assert.Equal(MadeRun.Positions, updates.SelectMany(update => update.Positions));
        Assert.Equal(File.ReadAllText(run.Updates), string.Concat(updates.Select(update => System.Text.Encoding.UTF8.GetString(update.ToLine()))));
    }

    [Fact]
    public void Events_come_with_the_hashes_that_the_updates_name()
    {
        using var run = new MadeRun();
        Assert.Equal(RunLog.Updates(run.Updates).SelectMany(update => update.EventHashes).OfType<string>(), RunLog.Events(run.Selections).Select(e => e.Hash));
        Assert.Equal(MadeRun.Positions.OfType<Position>(), RunLog.Events(run.Selections).Select(e => e.Event.Position));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{\"v\":1}")]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("{\"version\":1,\"slots\":{\"first\":0,\"count\":1},\"positions\":[\"nowhere\"],\"events\":[null],\"blocks\":[1],\"loss\":null,\"learning_rate\":1}")]
    public void A_line_that_is_no_update_is_named_with_file_and_line(string bad)
    {
        using var run = new MadeRun();
        File.AppendAllText(run.Updates, bad + "\n");
        var error = Assert.Throws<LogFormatException>(() => RunLog.Updates(run.Updates).Count());
        Assert.StartsWith($"{run.Updates}, line 4: no update", error.Message);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{\"v\":1,\"epoch\":1}")]
    [InlineData("{\"v\":1}")]
    public void A_line_that_is_no_event_is_named_with_file_and_line(string bad)
    {
        using var run = new MadeRun();
        var lines = File.ReadAllLines(run.Selections);
        File.WriteAllLines(run.Selections, [lines[0], bad, .. lines[1..]]);
        var error = Assert.Throws<LogFormatException>(() => RunLog.Events(run.Selections).Count());
        Assert.StartsWith($"{run.Selections}, line 2: no selection event", error.Message);
    }

    [Fact]
    public void Lines_before_a_bad_one_are_read()
    {
        using var run = new MadeRun();
        File.AppendAllText(run.Updates, "half a li");
        Assert.Equal([1, 2, 3], RunLog.Updates(run.Updates).Take(3).Select(update => update.Version));
    }

    [Fact]
    public void A_log_that_is_absent_is_named()
    {
        using var folder = new TempFolder();
        Assert.Contains(folder["none.jsonl"], Assert.Throws<FileNotFoundException>(() => RunLog.Updates(folder["none.jsonl"]).Any()).Message);
    }
}
