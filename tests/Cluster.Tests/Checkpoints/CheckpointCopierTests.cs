using MassDpo.App.Running;
using MassDpo.Cluster.Checkpoints;
using MassDpo.Learner.Checkpoints;
using MassDpo.PipelineKit;
using MassDpo.Shared.Files;
using MassDpo.TestKit.Files;
using MassDpo.Wire;

namespace MassDpo.Cluster.Tests.Checkpoints;

/// <summary>One output directory becomes what another is, without a cluster in between.</summary>
public sealed class CheckpointCopierTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    private readonly List<string> _notes = [];

    [Theory]
    [InlineData("logs.segment = 0", "logs.keep = 0")]
    [InlineData("logs.segment = 1", "logs.keep = 0")]
    [InlineData("logs.segment = 8000", "logs.keep = 1")]
    public void A_run_goes_on_in_a_copy_that_followed_it_to_the_same_bits(string segment, string keep)
    {
        var options = SimulatedStream.Options("checkpoint.updates = 1", segment, keep);
        var (output, copy) = (stream.NewOutput(), stream.NewOutput());
        using (var directory = RunDirectory.Open(copy, PhysicalFiles.Instance))
        using (var copier = new CheckpointCopier(directory, _notes.Add))
        {
            RunTo(output, options, 9, () => copier.Bring(Listing(output)!, isLeader: true, PullFrom(output)));
            copier.Bring(Listing(output)!, isLeader: true, PullFrom(output));
        }
        AssertCopied(output, copy);
        Assert.Empty(_notes);
        End(copy, options);
        RunTrace.Of(copy).AssertSame(RunTrace.Whole(stream, options, 1));
    }

    [Theory]
    [InlineData(9)]
    [InlineData(2)]
    public void What_a_node_did_that_is_no_history_any_more_is_set_aside_and_none_of_it_deleted(int kept)
    {
        var options = SimulatedStream.Options($"checkpoint.keep = {kept}");
        var (output, copy) = (stream.NewOutput(), stream.NewOutput());
        RunTo(output, options, 7);
        Copy(output, copy);
        // The other node went on by itself, and this one, which claimed later, holds.
        RunTo(copy, options, 11);
        using (var directory = RunDirectory.Open(output, PhysicalFiles.Instance))
            directory.KeepEpoch(7);
        RunTo(output, options, kept == 2 ? 12 : 10);
        var (lost, logs) = (Store(copy).List(), Logs(copy));
        Assert.NotEqual(Logs(output)["selections.jsonl"], logs["selections.jsonl"]);

        Copy(output, copy);

        AssertCopied(output, copy);
        var aside = Path.Combine(copy, "diverged", "000001");
        Assert.Contains(aside, Assert.Single(_notes));
        Assert.Equal(lost.Except(Store(output).List()).Select(name => name.ToString()).Order(), Directory.GetDirectories(aside).Select(folder => Path.GetFileName(folder)).Order());
        foreach (var (log, before) in logs.Where(log => File.Exists(Path.Combine(aside, log.Key))))
            Assert.EndsWith(File.ReadAllText(Path.Combine(aside, log)), before);
        Assert.True(File.Exists(Path.Combine(aside, "selections.jsonl")));
        // Where they have no checkpoint in common all of the log is another history's.
        Assert.Equal(kept == 2, File.ReadAllText(Path.Combine(aside, "selections.jsonl")) == logs["selections.jsonl"]);
        End(copy, options);
        RunTrace.Of(copy).AssertSame(RunTrace.Whole(stream, SimulatedStream.Options(), 1));
        // There is nothing left to set aside.
        RunTo(copy, options, 12);
        Copy(copy, output);
        AssertCopied(copy, output);
    }

    [Fact]
    public void A_copy_that_is_interrupted_anywhere_is_begun_again_and_what_was_there_holds_meanwhile()
    {
        var options = SimulatedStream.Options("logs.segment = 8000");
        var (output, copy) = (stream.NewOutput(), stream.NewOutput());
        RunTo(output, options, 4);
        Copy(output, copy);
        var first = Store(copy).List();
        RunTo(output, options, 10);
        var (interrupted, pulled) = (0, new List<string>());
        for (var at = 0; Interrupted(at); at++)
        {
            interrupted++;
            Assert.Equal(first, Store(copy).List());
            Assert.All(first, name => Store(copy).Check(name));
            AssertCanGoOn(copy, options);
        }
        Assert.True(interrupted >= 8, $"{interrupted}");
        AssertCopied(output, copy);
        Assert.Empty(_notes);
        End(copy, options);
        RunTrace.Of(copy).AssertSame(RunTrace.Whole(stream, SimulatedStream.Options(), 1));

        // Half of the at-th thing comes.
        bool Interrupted(int at)
        {
            using var directory = RunDirectory.Open(copy, PhysicalFiles.Instance);
            using var copier = new CheckpointCopier(directory, _notes.Add);
            var (pull, number) = (PullFrom(output), 0);
            try
            {
                copier.Bring(Listing(output)!, isLeader: true, (thing, from, length, take) =>
                {
                    // What came whole before does not come again, so this one is another each time.
                    if (from < length && number++ == Math.Min(at, 1))
                    {
                        pull(thing, from, from + (length - from) / 2, take);
                        throw new IOException("the line is cut");
                    }
                    pull(thing, from, length, take);
                });
                return false;
            }
            catch (IOException e) when (e.Message == "the line is cut")
            {
                return true;
            }
        }
    }

    // names: null: the process is killed; else the power is cut, and with true the names go that no sync of their folder had made durable.
    [Theory]
    [InlineData(false, null)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, null)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void A_copy_that_dies_at_any_step_of_its_files_is_begun_again_and_nothing_is_lost(bool diverged, bool? names)
    {
        var options = SimulatedStream.Options("logs.segment = 8000", "checkpoint.keep = 9");
        var (output, before) = (stream.NewOutput(), stream.NewOutput());
        RunTo(output, options, 4);
        Copy(output, before);
        if (diverged)
        {
            RunTo(before, options, 8);
            using var directory = RunDirectory.Open(output, PhysicalFiles.Instance);
            directory.KeepEpoch(7);
        }
        RunTo(output, options, 10);
        var common = Store(output).List().Intersect(Store(before).List()).ToList();
        var foreign = Store(before).List().Except(common).ToList();
        var logs = Logs(before);
        Assert.NotEmpty(common);
        Assert.Equal(diverged, foreign.Count > 0);
        var step = 1;
        for (string copy; Dies(copy = SimulatedRun.Killed(before, stream.NewOutput())); step++)
        {
            Assert.All(common, name => Store(copy).Check(name));
            AssertCanGoOn(copy, options);
            Copy(output, copy, new FaultyFiles());
            AssertCopied(output, copy);
            var aside = Path.Combine(copy, "diverged");
            if (!diverged)
            {
                Assert.False(Directory.Exists(aside));
                continue;
            }
            Assert.All(foreign, name => Assert.Contains(Directory.GetDirectories(aside), go => Directory.Exists(Path.Combine(go, name.ToString())) && new CheckpointStore(go, PhysicalFiles.Instance, keep: 2).IsWhole(name, (_, _) => { })));
            // What it had written and is not in the log any more lies beside it; after half an append bytes of the other's may follow it.
            foreach (var (log, text) in logs)
            {
                var shared = (Logs(copy).GetValueOrDefault(log) ?? "").Zip(text).TakeWhile(pair => pair.First == pair.Second).Count();
                if (shared < text.Length)
                    Assert.Contains(Directory.GetDirectories(aside).Select(go => Path.Combine(go, log)).Where(File.Exists).Select(File.ReadAllText), tail => tail.Contains(text[shared..], StringComparison.Ordinal));
            }
        }
        Assert.True(step > 40, $"{step}");

        bool Dies(string copy)
        {
            var files = new FaultyFiles();
            files.FailAt(step, Fault.Crash);
            try
            {
                Copy(output, copy, files, piece: 20_000);
            }
            catch (SimulatedCrashException)
            {
            }
            files.Mend();
            if (files.HasFailed && names is { } lost)
                files.CutPower(lost);
            return files.HasFailed;
        }
    }

    [Fact]
    public void What_is_taken_away_while_it_is_pulled_is_listed_no_more()
    {
        var options = SimulatedStream.Options("checkpoint.updates = 1");
        var (output, copy) = (stream.NewOutput(), stream.NewOutput());
        RunTo(output, options, 5);
        using var directory = RunDirectory.Open(copy, PhysicalFiles.Instance);
        using var copier = new CheckpointCopier(directory, _notes.Add);
        var (listing, pull) = (Listing(output)!, PullFrom(output));
        RunTo(output, options, 9);
        Assert.ThrowsAny<IOException>(() => copier.Bring(listing, isLeader: true, pull));
        Assert.Empty(Store(copy).List());
        copier.Bring(Listing(output)!, isLeader: true, PullFrom(output));
        AssertCopied(output, copy);
        Assert.False(Directory.Exists(Path.Combine(copy, "checkpoints", listing.Newest + ".writing")));
    }

    [Fact]
    public void What_somebody_is_in_the_middle_of_can_be_read_to_its_end_though_it_was_taken_away()
    {
        var output = stream.NewOutput();
        RunTo(output, SimulatedStream.Options(), 4);
        var served = new ServedFiles(output, PhysicalFiles.Instance);
        var listing = Listing(output)!;
        served.Serve(listing);
        var file = listing.Checkpoints[0].Files[0];
        using var pieces = served.Open(ServedFiles.ThingOf(listing.Newest, file))!;
        Store(output).Remove(listing.Newest);
        Assert.Equal(file.Length, pieces.ReadAt(0, new byte[file.Length + 1]));
    }

    [Fact]
    public void A_name_from_another_node_leads_nowhere_but_to_what_was_listed()
    {
        var output = stream.NewOutput();
        RunTo(output, SimulatedStream.Options(), 4);
        var (served, listing) = (new ServedFiles(output, PhysicalFiles.Instance), Listing(output)!);
        var (thing, _) = served.Serve(listing);
        using (served.Open(thing))
        using (served.Open("selections.jsonl"))
            Assert.All(new[] { "epoch", "lock", "../" + Path.GetFileName(output) + "/selections.jsonl", Path.Combine(output, "selections.jsonl"), $"{listing.Newest}/../../epoch", "checkpoints", "" }, name => Assert.Null(served.Open(name)));
        var file = new ListedFile("selections.jsonl", 1, "h");
        foreach (var hostile in new CheckpointListing[]
        {
            listing with { Logs = [file with { Name = "../selections.jsonl" }] },
            listing with { Logs = [file with { Name = "/etc/passwd" }] },
            listing with { Logs = [file with { Name = "selections-v1.jsonl" }] },
            listing with { Logs = [file with { Name = "epoch" }] },
            listing with { Logs = [file with { Length = -1 }] },
            listing with { Others = [file with { Name = "lock" }] },
            listing with { Checkpoints = [new ListedCheckpoint(listing.Newest, [file with { Name = "../state.json" }])] },
            listing with { Checkpoints = [] },
        })
            Assert.Throws<WireFormatException>(() => CheckpointListing.Decode(hostile.Encode()));
        Assert.Equal(listing.Newest, CheckpointListing.Decode(listing.Encode()).Newest);
    }

    [Fact]
    public void Bytes_that_are_not_what_was_listed_become_no_checkpoint()
    {
        var (output, copy) = (stream.NewOutput(), "");
        RunTo(output, SimulatedStream.Options(), 7);
        var pull = PullFrom(output);
        foreach (var damaged in new[] { "/model.safetensors", "/manifest.json", "selections.jsonl", "run.json" })
        {
            using var directory = RunDirectory.Open(copy = stream.NewOutput(), PhysicalFiles.Instance);
            using var copier = new CheckpointCopier(directory, _notes.Add);
            Assert.Throws<InvalidDataException>(() => copier.Bring(Listing(output)!, isLeader: true, (thing, from, length, take) =>
                pull(thing, from, length, thing.EndsWith(damaged, StringComparison.Ordinal) && (damaged[0] != '/' || thing.StartsWith(Listing(output)!.Newest.ToString(), StringComparison.Ordinal))
                    ? piece => take(piece.ToArray().Select(b => (byte)(b ^ 1)).ToArray())
                    : take)));
            if (damaged != "run.json")
                Assert.Empty(Store(copy).List());
        }
        Copy(output, copy);
        AssertCopied(output, copy);
        Assert.Empty(_notes);
    }

    private static CheckpointStore Store(string output) => new(RunDirectory.CheckpointsIn(output), PhysicalFiles.Instance, keep: 2);

    private static CheckpointListing? Listing(string output) => CheckpointListing.Of(output, PhysicalFiles.Instance, _ => true);

    // A learner could: its logs hold what its checkpoints name. Files without a fault cost no syncs.
    private void AssertCanGoOn(string copy, RunOptions options)
    {
        var killed = SimulatedRun.Killed(copy, stream.NewOutput());
        var held = Store(killed).List();
        using var directory = RunDirectory.Open(killed, new FaultyFiles());
        using var logs = new LogSet(directory, options.Logs);
        logs.CutTo(Store(killed).LoadState(held[0]).Logs, [.. held.Select(name => name.Version)]);
    }

    private void Copy(string from, string to, IFiles? files = null, int piece = 1000)
    {
        using var directory = RunDirectory.Open(to, files ?? PhysicalFiles.Instance);
        using var copier = new CheckpointCopier(directory, _notes.Add);
        copier.Bring(Listing(from)!, isLeader: true, PullFrom(from, piece));
    }

    // In pieces of a few bytes.
    private static Pull PullFrom(string output, int piece = 1000)
    {
        var served = new ServedFiles(output, PhysicalFiles.Instance);
        served.Serve(Listing(output)!);
        return (thing, from, length, take) =>
        {
            using var pieces = served.Open(thing)!;
            for (var at = from; at < length;)
            {
                var bytes = new byte[Math.Min(piece, length - at)];
                Assert.Equal(bytes.Length, pieces.ReadAt(at, bytes));
                take(bytes);
                at += bytes.Length;
            }
        };
    }

    // Then it is killed.
    private void RunTo(string output, RunOptions options, long version, Action? updated = null)
    {
        var at = 0L;
        using var run = new SimulatedRun(stream, options, 1, output, progress: progress =>
        {
            at = progress.Version;
            if (updated is not null && Listing(output) is not null)
                updated();
        });
        run.Step(1_000_000, () => at >= version);
    }

    private void End(string output, RunOptions options)
    {
        using var run = new SimulatedRun(stream, options, 2, output);
        run.End();
    }

    private static Dictionary<string, string> Logs(string output) =>
        Directory.GetFiles(output, "*.jsonl").ToDictionary(path => Path.GetFileName(path), File.ReadAllText);

    private static void AssertCopied(string output, string copy)
    {
        var listing = Listing(output)!;
        Assert.Equal(Store(output).List(), Store(copy).List());
        Assert.Equal(listing.Encode(), Listing(copy)!.Encode());
        Assert.All(Store(copy).List(), name => Store(copy).Check(name));
        Assert.Equal(listing.Logs.Select(log => log.Name).Order(), Logs(copy).Keys.Order());
        foreach (var log in listing.Logs)
            Assert.Equal(Logs(output)[log.Name][..Logs(copy)[log.Name].Length], Logs(copy)[log.Name]);
    }
}
