using System.Text;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Checkpoints;

public sealed class AppendLogTests
{
    [Fact]
    public void A_mark_is_the_length_and_hash_of_what_the_file_holds()
    {
        using var folder = new TempFolder();
        using var log = Open(folder);
        log.CutTo(LogMark.Empty);
        Assert.Equal(LogMark.Empty, log.Mark);
        foreach (var line in new[] { "one\n", "", "two\n", new string('x', 200_000) + "\n" })
        {
            log.Append(Encoding.UTF8.GetBytes(line));
            var bytes = Bytes(folder);
            Assert.Equal(new LogMark(bytes.Length, ContentHash.Of(bytes)), log.Mark);
        }
    }

    [Fact]
    public void It_is_cut_back_to_a_mark_and_goes_on_from_there_as_if_nothing_had_followed()
    {
        using var folder = new TempFolder();
        var marks = new List<LogMark>();
        using (var log = Open(folder))
        {
            log.CutTo(LogMark.Empty);
            for (var i = 0; i < 5; i++)
            {
                log.Append(Encoding.UTF8.GetBytes(new string((char)('a' + i), 40_000) + "\n"));
                marks.Add(log.Mark);
            }
        }
        using var again = Open(folder);
        again.CutTo(marks[4]);
        again.CutTo(marks[2]);
        Assert.Equal(marks[2], again.Mark);
        Assert.Equal(marks[2].Length, Bytes(folder).Length);
        again.Append(Encoding.UTF8.GetBytes(new string('d', 40_000) + "\n"));
        Assert.Equal(marks[3], again.Mark);
        again.CutTo(LogMark.Empty);
        Assert.Empty(Bytes(folder));
        Assert.Equal(LogMark.Empty, again.Mark);
    }

    [Fact]
    public void A_log_that_is_shorter_than_its_mark_is_refused_with_the_remedy_and_left_as_it_is()
    {
        using var folder = new TempFolder();
        var mark = Write(folder, "one\ntwo\n");
        File.WriteAllText(folder["log"], "one\n");
        using var log = Open(folder);
        var refusal = Assert.Throws<InvalidDataException>(() => log.CutTo(mark)).Message;
        Assert.Contains(folder["log"], refusal);
        Assert.Contains("4 bytes", refusal);
        Assert.Contains("covers 8", refusal);
        Assert.Contains("Put the log of this run back", refusal);
        Assert.Equal("one\n", File.ReadAllText(folder["log"]));
    }

    [Fact]
    public void A_log_that_was_edited_before_its_mark_is_refused_with_the_remedy_and_left_as_it_is()
    {
        using var folder = new TempFolder();
        var mark = Write(folder, "one\ntwo\n");
        for (var at = 0; at < 8; at++)
        {
            var bytes = Encoding.UTF8.GetBytes("one\ntwo\nthree\n");
            bytes[at] ^= 1;
            File.WriteAllBytes(folder["log"], bytes);
            using var log = Open(folder);
            var refusal = Assert.Throws<InvalidDataException>(() => log.CutTo(mark)).Message;
            Assert.Contains("edited or damaged", refusal);
            Assert.Contains("Put the log of this run back", refusal);
            Assert.Equal(bytes, Bytes(folder));
        }
    }

    [Fact]
    public void What_stands_after_the_mark_may_be_anything()
    {
        using var folder = new TempFolder();
        var mark = Write(folder, "one\ntwo\n");
        File.AppendAllText(folder["log"], "torn li");
        using var log = Open(folder);
        log.CutTo(mark);
        Assert.Equal("one\ntwo\n", File.ReadAllText(folder["log"]));
    }

    [Fact]
    public void An_append_that_failed_leaves_no_trace_once_the_log_is_cut()
    {
        using var folder = new TempFolder();
        var files = new FaultyFiles();
        LogMark mark;
        using (var log = new AppendLog(files, folder["log"]))
        {
            log.CutTo(LogMark.Empty);
            log.Append("one\n"u8);
            mark = log.Mark;
            files.FailAt(1, Fault.NoSpace);
            Assert.Throws<IOException>(() => log.Append("a line that is not short\n"u8));
            Assert.Equal("one\na line that ", File.ReadAllText(folder["log"]));
            // The log does not count what failed.
            Assert.Equal(mark, log.Mark);
        }
        using var again = new AppendLog(files, folder["log"]);
        again.CutTo(mark);
        again.Append("two\n"u8);
        Assert.Equal("one\ntwo\n", File.ReadAllText(folder["log"]));
        Assert.Equal(ContentHash.Of("one\ntwo\n"), again.Mark.Hash);
    }

    private static AppendLog Open(TempFolder folder) => new(PhysicalFiles.Instance, folder["log"]);

    private static byte[] Bytes(TempFolder folder) => File.ReadAllBytes(folder["log"]);

    private static LogMark Write(TempFolder folder, string text)
    {
        using var log = Open(folder);
        log.CutTo(LogMark.Empty);
        log.Append(Encoding.UTF8.GetBytes(text));
        return log.Mark;
    }
}
