using System.Text;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Checkpoints;

/// <summary>A commit that fails, or dies, at each of its steps in turn, with and without what a power cut takes.</summary>
public sealed class CommitFaultTests
{
    public static TheoryData<Fault, string> Ends => new()
    {
        { Fault.NoSpace, "goes on" },
        { Fault.Crash, "restarts" },
        { Fault.Crash, "power cut, names kept" },
        { Fault.Crash, "power cut" },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public void At_every_step_the_last_whole_checkpoint_and_its_logs_are_found_again_and_a_later_commit_works(Fault fault, string end)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        var renamed = false;
        for (var step = 1; ; step++)
        {
            using var folder = new TempFolder();
            var files = new FaultyFiles();
            var marks = new Dictionary<long, LogMark>();
            Exception? failure;
            using (var run = new OpenRun(folder["out"], files, marks))
            {
                for (var version = 1; version <= 3; version++)
                    run.Commit(version);
                var before = files.Journal.Count;
                files.FailAt(step, fault);
                failure = Record.Exception(() => run.Commit(4));
                var taken = files.Journal.Skip(before).ToList();
                names.UnionWith(taken.Select(taken => taken.Name));
                renamed = taken[..^1].Any(taken => taken.Name == "rename");
                Assert.True(failure is null == !files.HasFailed, $"step {step}, {taken[^1]}: {failure}");
            }
            files.Mend();
            if (end.StartsWith("power cut", StringComparison.Ordinal))
                files.CutPower(names: end == "power cut");
            if (failure is null)
            {
                AssertFinds(4, folder, files, marks);
                // All kinds of steps had their turn: the loop ends with the first commit that no fault hit.
                Assert.Equal(["append", "create", "delete", "rename", "sync", "sync-folder", "write"], names);
                return;
            }
            // From the rename on it may be the new one, and must be once that is durable.
            AssertFinds(renamed ? [3, 4] : [3], folder, files, marks);
            using (var run = new OpenRun(folder["out"], files, marks))
            {
                run.CutTo(run.LoadNewest());
                run.Commit(5);
            }
            AssertFinds(5, folder, files, marks);
            Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(folder["out", "checkpoints"]), path => path.EndsWith(".writing", StringComparison.Ordinal));
            Assert.Equal(2, Directory.EnumerateFileSystemEntries(folder["out", "checkpoints"]).Count());
        }
    }

    [Fact]
    public void While_the_disk_stays_full_every_commit_fails_and_none_of_the_old_ones_is_lost()
    {
        using var folder = new TempFolder();
        var files = new FaultyFiles();
        var marks = new Dictionary<long, LogMark>();
        using (var run = new OpenRun(folder["out"], files, marks))
        {
            run.Commit(1);
            run.Commit(2);
            files.FailWhen(step => step.Name is "write" or "append" or "create", Fault.NoSpace);
            for (var attempt = 0; attempt < 3; attempt++)
                Assert.Contains("No space left on device", Assert.Throws<IOException>(() => run.Commit(3)).Message);
            files.Mend();
        }
        AssertFinds(2, folder, files, marks);
    }

    [Fact]
    public void Before_the_first_whole_checkpoint_there_is_none_and_the_logs_are_cut_to_nothing()
    {
        for (var step = 1; ; step++)
        {
            using var folder = new TempFolder();
            var files = new FaultyFiles();
            var marks = new Dictionary<long, LogMark>();
            Exception? failure;
            using (var run = new OpenRun(folder["out"], files, marks))
            {
                files.FailAt(step, Fault.Crash);
                failure = Record.Exception(() => run.Commit(1));
            }
            files.Mend();
            files.CutPower(names: true);
            using (var again = new OpenRun(folder["out"], files, marks))
            {
                var found = again.LoadNewest();
                Assert.True(found is null or 1);
                Assert.True(failure is not null || found == 1);
                again.CutTo(found);
            }
            if (failure is null)
                return;
        }
    }

    private static void AssertFinds(long version, TempFolder folder, FaultyFiles files, Dictionary<long, LogMark> marks) => AssertFinds([version], folder, files, marks);

    private static void AssertFinds(long[] possible, TempFolder folder, FaultyFiles files, Dictionary<long, LogMark> marks)
    {
        using var run = new OpenRun(folder["out"], files, marks);
        var found = run.LoadNewest();
        Assert.Contains(found!.Value, possible);
        run.CutTo(found);
    }

    /// <summary>A run as a learner has it open: its directory, a log and the store.</summary>
    private sealed class OpenRun : IDisposable
    {
        private readonly RunDirectory _directory;
        private readonly AppendLog _log;
        private readonly CheckpointStore _store;
        private readonly Dictionary<long, LogMark> _marks;

        public OpenRun(string path, FaultyFiles files, Dictionary<long, LogMark> marks)
        {
            _directory = RunDirectory.Open(path, files);
            _log = new AppendLog(files, _directory.Updates);
            _store = new CheckpointStore(_directory.Checkpoints, files, keep: 2);
            _marks = marks;
            if (marks.Count > 0)
                return;
            _log.CutTo(LogMark.Empty);
            _directory.KeepEpoch(1);
        }

        public void Commit(long version)
        {
            _log.Append(Encoding.UTF8.GetBytes($"update {version}, first half,"));
            _log.Append(Encoding.UTF8.GetBytes($"second half\n"));
            _log.Sync();
            _marks[version] = _log.Mark;
            MadeCheckpoint.Write(_store, version, logs: new Dictionary<string, LogMark> { ["updates.jsonl"] = _log.Mark });
        }

        /// <summary>The version found, after its every bit was compared; no newer one may be damaged.</summary>
        public long? LoadNewest()
        {
            using var checkpoint = _store.LoadNewest((name, reason) => Assert.Fail($"{name}: {reason}"));
            if (checkpoint is null)
                return null;
            var version = checkpoint.State.Version;
            MadeCheckpoint.AssertIs(version, checkpoint, logs: new Dictionary<string, LogMark> { ["updates.jsonl"] = _marks[version] });
            return version;
        }

        public void CutTo(long? version)
        {
            _log.CutTo(version is null ? LogMark.Empty : _marks[version.Value]);
            Assert.Equal(version is null ? 0 : _marks[version.Value].Length, new FileInfo(_log.Path).Length);
        }

        public void Dispose()
        {
            _log.Dispose();
            _directory.Dispose();
        }
    }
}
