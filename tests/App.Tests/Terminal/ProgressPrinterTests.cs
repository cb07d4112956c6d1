using MassDpo.App.Terminal;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit.Simulation;

namespace MassDpo.App.Tests.Terminal;

public sealed class ProgressPrinterTests
{
    private readonly FakeClock _clock = new();
    private readonly StringWriter _writer = new();

    [Fact]
    public void A_line_tells_records_rate_update_loss_measures_lag_dead_ones_and_the_time_left()
    {
        var printer = Begun();
        _clock.Advance(TimeSpan.FromSeconds(10));
        printer.Update(Progress(applied: 1008, dead: 16, version: 125, loss: 0.51234, hitRate: 0.4567, lag: 2), 5024);
        Assert.Equal("1,024 of 5,024 records · 100/s · update 125 · loss 0.512 · HR@1 45.7% · lag 2 · 16 dead · 40s left\n", _writer.ToString());
    }

    [Fact]
    public void What_is_not_known_is_left_out()
    {
        var printer = Begun();
        _clock.Advance(TimeSpan.FromSeconds(2));
        printer.Update(Progress(applied: 18, dead: 0, version: 2, loss: null, hitRate: null, lag: 0), null);
        Assert.Equal("18 records · 5/s · update 2 · lag 0\n", _writer.ToString());
    }

    [Fact]
    public void It_prints_no_more_often_than_asked_for()
    {
        var printer = Begun();
        for (var i = 1; i <= 40; i++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(100));
            printer.Update(Progress(applied: i, dead: 0, version: i, loss: null, hitRate: null, lag: 0), null);
        }
        Assert.Equal(["20", "40"], _writer.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0]));
    }

    [Fact]
    public void After_one_update_there_is_no_rate_yet()
    {
        var printer = Printer(rewrite: false);
        _clock.Advance(TimeSpan.FromSeconds(10));
        printer.Update(Progress(applied: 8, dead: 0, version: 1, loss: null, hitRate: null, lag: 0), 100);
        Assert.Equal("8 of 100 records · update 1 · lag 0\n", _writer.ToString());
    }

    [Fact]
    public void A_run_that_goes_on_counts_its_rate_from_where_it_began()
    {
        var printer = Printer(rewrite: false);
        printer.Update(Progress(applied: 1008, dead: 0, version: 126, loss: null, hitRate: null, lag: 0), null);
        _clock.Advance(TimeSpan.FromSeconds(10));
        printer.Update(Progress(applied: 1508, dead: 0, version: 188, loss: null, hitRate: null, lag: 0), null);
        Assert.Contains(" 50/s ", _writer.ToString());
    }

    [Theory]
    [InlineData(100 * 59, "59s left")]
    [InlineData(100 * 60, "1m00s left")]
    [InlineData(100 * 3599, "59m59s left")]
    [InlineData(100 * 3600, "1h00m left")]
    [InlineData(100 * 360000, "100h00m left")]
    public void Time_left_is_told_in_what_one_reads_at_a_glance(long left, string text)
    {
        var printer = Begun();
        _clock.Advance(TimeSpan.FromSeconds(10));
        printer.Update(Progress(applied: 1008, dead: 0, version: 126, loss: null, hitRate: null, lag: 0), 1008 + left);
        Assert.Contains(text, _writer.ToString());
    }

    [Fact]
    public void On_a_terminal_a_line_is_written_over_and_ended_once()
    {
        var printer = Printer(rewrite: true);
        for (var i = 1; i <= 2; i++)
        {
            _clock.Advance(TimeSpan.FromSeconds(2));
            printer.Update(Progress(applied: 2 * i, dead: 0, version: i, loss: null, hitRate: null, lag: 0), null);
        }
        printer.End();
        printer.End();
        Assert.Equal("\r\u001b[2K2 records · update 1 · lag 0\r\u001b[2K4 records · 1/s · update 2 · lag 0\n", _writer.ToString());
    }

    [Fact]
    public void A_line_that_was_never_begun_is_not_ended()
    {
        Printer(rewrite: true).End();
        Assert.Equal("", _writer.ToString());
    }

    // After its first update.
    private ProgressPrinter Begun()
    {
        var printer = Printer(rewrite: false);
        printer.Update(Progress(applied: 8, dead: 0, version: 1, loss: null, hitRate: null, lag: 0), null);
        return printer;
    }

    private ProgressPrinter Printer(bool rewrite) => new(TimeSpan.FromSeconds(2), _clock, _writer, rewrite);

    private static LearnerProgress Progress(long applied, long dead, long version, double? loss, double? hitRate, long lag) => new(version, new RunCounts(applied, dead, 0, 0, 0), loss, 1e-3,
        hitRate is { } rate ? new RankingMetrics(10, rate, 0, 0, 0, 0) : null, lag);
}
