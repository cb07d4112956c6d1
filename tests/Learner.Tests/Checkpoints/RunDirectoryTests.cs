using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Checkpoints;

public sealed class RunDirectoryTests
{
    [Fact]
    public void A_second_holder_is_refused_with_the_remedy_until_the_first_lets_go()
    {
        using var folder = new TempFolder();
        var first = RunDirectory.Open(folder["out"], PhysicalFiles.Instance);
        var refusal = Assert.Throws<DirectoryInUseException>(() => RunDirectory.Open(folder["out"], PhysicalFiles.Instance)).Message;
        Assert.Contains(folder["out"], refusal);
        Assert.Contains("in use by another process", refusal);
        Assert.Contains("another output directory", refusal);
        first.Dispose();
        RunDirectory.Open(folder["out"], PhysicalFiles.Instance).Dispose();
    }

    [Fact]
    public void The_files_of_a_run_lie_where_the_documentation_says()
    {
        using var folder = new TempFolder();
        using var directory = RunDirectory.Open(folder["out"], PhysicalFiles.Instance);
        Assert.Equal(["policy", "checkpoints", "selections.jsonl", "updates.jsonl", "metrics.jsonl", "dead-letters.jsonl", "report.json"],
            new[] { directory.Policy, directory.Checkpoints, directory.Selections, directory.Updates, directory.Metrics, directory.DeadLetters, directory.Report }
                .Select(path => Path.GetRelativePath(folder["out"], path)));
        Assert.True(Directory.Exists(directory.Checkpoints));
    }

    [Fact]
    public void An_epoch_is_kept_and_read_back_by_the_next_process()
    {
        using var folder = new TempFolder();
        foreach (var epoch in new long[] { 0, 1, 2, 9_999_999_999 })
        {
            using var directory = RunDirectory.Open(folder["out"], PhysicalFiles.Instance);
            if (epoch > 0)
                directory.KeepEpoch(epoch);
            Assert.Equal(epoch, directory.LastEpoch);
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Whatever_happens_while_an_epoch_is_kept_it_is_the_old_or_the_new_one_and_once_kept_it_stays(bool powerCut, bool names)
    {
        var steps = 0;
        for (var fail = 1; fail <= steps + 1; fail++)
        {
            using var folder = new TempFolder();
            var files = new FaultyFiles();
            using (var directory = RunDirectory.Open(folder["out"], files))
            {
                directory.KeepEpoch(6);
                var before = files.Journal.Count;
                files.FailAt(fail, Fault.Crash);
                var crash = Record.Exception(() => directory.KeepEpoch(7));
                Assert.True(crash is null or SimulatedCrashException);
                steps = Math.Max(steps, files.Journal.Count - before);
                Assert.Equal(crash is null, fail > steps);
                files.Mend();
                if (powerCut)
                    files.CutPower(names);
            }
            using var next = RunDirectory.Open(folder["out"], files);
            Assert.Contains(next.LastEpoch, fail > steps ? [7L] : new[] { 6L, 7 });
            next.KeepEpoch(8);
            Assert.Equal(8, next.LastEpoch);
        }
        Assert.Equal(5, steps);
    }

    [Theory]
    [InlineData("")]
    [InlineData("seven")]
    [InlineData("-3")]
    [InlineData("7 8")]
    public void An_epoch_that_is_no_number_is_refused_with_the_remedy(string text)
    {
        using var folder = new TempFolder();
        folder.Write("out/epoch", text);
        using var directory = RunDirectory.Open(folder["out"], PhysicalFiles.Instance);
        var refusal = Assert.Throws<InvalidDataException>(() => directory.LastEpoch).Message;
        Assert.Contains(folder["out", "epoch"], refusal);
        Assert.Contains("higher than any epoch", refusal);
    }

    [Fact]
    public void A_directory_that_cannot_be_made_is_told_by_its_path()
    {
        using var folder = new TempFolder();
        folder.Write("file", "");
        Assert.Contains(folder["file"], Assert.ThrowsAny<IOException>(() => RunDirectory.Open(folder["file", "out"], PhysicalFiles.Instance)).Message);
    }
}
