using System.Text;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Checkpoints;

public sealed class LogSetTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly RunDirectory _run;

    public LogSetTests() => _run = RunDirectory.Open(_folder["out"], new FaultyFiles());

    [Fact]
    public void Without_a_limit_there_is_one_file_of_each_log()
    {
        using var logs = Open(segmentBytes: 0);
        for (var version = 1; version <= 5; version++)
            Commit(logs, version);
        Assert.Equal(_run.Logs.Select(Path.GetFileName).Order(), logs.Marks.Keys.Order());
        Assert.Equal("u1 u2 u3 u4 u5 ", Read(_run.Updates));
        Assert.Empty(logs.Bases);
    }

    [Fact]
    public void All_logs_are_cut_at_the_same_versions_once_they_are_long_enough_together()
    {
        using var logs = Open(segmentBytes: 20);
        for (var version = 1; version <= 7; version++)
            Commit(logs, version);
        // A version brings 9 bytes: three of them are more than 20.
        Assert.All([_run.Selections, _run.Updates, _run.DeadLetters], log => Assert.Equal([0, 3, 6], LogSegments.In(_run.Files, log)));
        // Of a log that got nothing no empty segments stay.
        Assert.All([_run.Metrics, _run.Evaluations], log => Assert.Equal([6], LogSegments.In(_run.Files, log)));
        Assert.Equal("u1 u2 u3 |u4 u5 u6 |u7 ", Read(_run.Updates));
        Assert.Equal("s1 s2 s3 |s4 s5 s6 |s7 ", Read(_run.Selections));
        Assert.Equal(3 * 3 + 2, logs.Marks.Count);
        Assert.Equal(new LogMark(9, Shared.Contracts.ContentHash.Of("u4 u5 u6 "u8)), logs.Marks["updates-v000000000003.jsonl"]);
    }

    [Theory]
    [InlineData(1, "u1 ")]
    [InlineData(2, "u1 u2 ")]
    [InlineData(3, "u1 u2 u3 |")]
    [InlineData(5, "u1 u2 u3 |u4 u5 ")]
    [InlineData(7, "u1 u2 u3 |u4 u5 u6 |u7 ")]
    public void Cut_back_they_are_as_the_checkpoint_found_them_and_go_on(int version, string updates)
    {
        var marks = new Dictionary<long, IReadOnlyDictionary<string, LogMark>>();
        using (var logs = Open(segmentBytes: 20))
            for (var each = 1; each <= 7; each++)
                marks[each] = Commit(logs, each);
        using var again = Open(segmentBytes: 20, marks[version]);
        Assert.Equal(updates, Read(_run.Updates));
        Assert.Equal(marks[version].OrderBy(mark => mark.Key), again.Marks.OrderBy(mark => mark.Key));
        for (var each = version + 1; each <= 7; each++)
            Assert.Equal(marks[each].OrderBy(mark => mark.Key), Commit(again, each).OrderBy(mark => mark.Key));
        Assert.Equal("u1 u2 u3 |u4 u5 u6 |u7 ", Read(_run.Updates));
    }

    [Fact]
    public void Retention_takes_the_oldest_segments_but_those_of_dead_letters_and_says_which_checkpoints_stand_in_for_them()
    {
        using var logs = Open(segmentBytes: 20, kept: 2);
        for (var version = 1; version <= 9; version++)
        {
            Commit(logs, version);
            Assert.Equal(version < 9 ? null : 3, logs.FirstToKeep);
        }
        Assert.Equal([3, 6, 9], logs.Bases);
        logs.DropBefore(3);
        Assert.Equal("u4 u5 u6 |u7 u8 u9 |", Read(_run.Updates));
        Assert.Equal("d1 d2 d3 |d4 d5 d6 |d7 d8 d9 |", Read(_run.DeadLetters));
        Assert.Null(logs.FirstToKeep);
        Assert.Equal([3, 6, 9], logs.Bases);
        Assert.Equal(2 * 3 + 4 + 2, logs.Marks.Count);
    }

    [Fact]
    public void With_retention_switched_off_again_the_checkpoint_that_the_logs_begin_at_still_stays()
    {
        IReadOnlyDictionary<string, LogMark> marks;
        using (var logs = Open(segmentBytes: 20, kept: 1))
        {
            for (var version = 1; version <= 9; version++)
                Commit(logs, version);
            logs.DropBefore(logs.FirstToKeep!.Value);
            marks = logs.Marks;
        }
        using var again = Open(segmentBytes: 20, marks);
        Assert.Equal([6], again.Bases);
        Assert.Null(again.FirstToKeep);
    }

    [Fact]
    public void A_segment_that_is_gone_is_refused_unless_a_checkpoint_stands_in_for_it()
    {
        IReadOnlyDictionary<string, LogMark> marks;
        using (var logs = Open(segmentBytes: 20))
        {
            for (var version = 1; version <= 7; version++)
                Commit(logs, version);
            marks = logs.Marks;
        }
        File.Delete(_run.Updates);
        Assert.Contains($"{_run.Updates} is gone", Assert.Throws<InvalidDataException>(() => Open(20, marks)).Message);
        Assert.Contains("is gone", Assert.Throws<InvalidDataException>(() => Open(20, marks, bases: 2)).Message);
        using var again = Open(20, marks, bases: 3);
        Assert.DoesNotContain("updates.jsonl", again.Marks.Keys);
        Assert.Contains("selections.jsonl", again.Marks.Keys);
    }

    [Fact]
    public void Dead_letters_that_somebody_put_elsewhere_are_not_missed()
    {
        IReadOnlyDictionary<string, LogMark> marks;
        using (var logs = Open(segmentBytes: 20))
        {
            for (var version = 1; version <= 4; version++)
                Commit(logs, version);
            marks = logs.Marks;
        }
        File.Delete(_run.DeadLetters);
        using var again = Open(20, marks);
        Assert.Equal("d4 ", Read(_run.DeadLetters));
    }

    [Theory]
    [InlineData("u1 u2 u3", "has 8 bytes, the checkpoint says 9")]
    [InlineData("u1 u2 u3 u", "has 10 bytes, the checkpoint says 9")]
    public void A_closed_segment_of_another_length_is_refused(string text, string reason)
    {
        IReadOnlyDictionary<string, LogMark> marks;
        using (var logs = Open(segmentBytes: 20))
        {
            for (var version = 1; version <= 4; version++)
                Commit(logs, version);
            marks = logs.Marks;
        }
        File.WriteAllText(_run.Updates, text);
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => Open(20, marks)).Message);
    }

    public void Dispose()
    {
        _run.Dispose();
        _folder.Dispose();
    }

    private LogSet Open(long segmentBytes, IReadOnlyDictionary<string, LogMark>? marks = null, int kept = 0, params long[] bases)
    {
        var logs = new LogSet(_run, new LogOptions(segmentBytes, kept));
        try
        {
            logs.CutTo(marks ?? new Dictionary<string, LogMark>(), bases);
            return logs;
        }
        catch
        {
            logs.Dispose();
            throw;
        }
    }

    // What an update and the checkpoint after it do.
    private IReadOnlyDictionary<string, LogMark> Commit(LogSet logs, int version)
    {
        logs.Append(_run.Selections, Encoding.ASCII.GetBytes($"s{version} "));
        logs.Append(_run.Updates, Encoding.ASCII.GetBytes($"u{version} "));
        logs.Append(_run.DeadLetters, Encoding.ASCII.GetBytes($"d{version} "));
        logs.Rotate(version);
        logs.Sync();
        return logs.Marks;
    }

    private string Read(string log) => string.Join('|', LogSegments.PathsOf(_run.Files, log).Select(File.ReadAllText));
}
