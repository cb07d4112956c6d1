using System.Text.Json;
using MassDpo.App.Running;
using MassDpo.Audit.Logs;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;
using MassDpo.Shared.Numerics;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Tests.Running;

/// <summary>What a stream without an end needs: logs in segments, retention, a reference that follows. None of it may change what is trained, or take away what a replay needs.</summary>
public sealed class EndlessStreamTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    private const string Segments = "logs.segment = 1";
    private const string Refresh = "reference.refresh = 3";

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 20)];

    [Theory]
    [InlineData(1)]
    [InlineData(4000)]
    public void Logs_in_segments_say_the_same_as_whole_ones_and_replay(int bytes)
    {
        using var run = new SimulatedRun(stream, SimulatedStream.Options($"logs.segment = {bytes}"), seed: 1, stream.NewOutput());
        run.End();
        var begins = Begins(run.Output, "updates.jsonl");
        Assert.True(begins.Count > 1);
        Assert.Equal(begins, Begins(run.Output, "selections.jsonl"));
        var trace = RunTrace.Of(run.Output);
        trace.AssertSame(Undisturbed.Of(stream));
        trace.AssertReplays(run.Output, stream.NewOutput());
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Retention_keeps_what_it_should_through_kills_and_what_it_keeps_replays_from_a_checkpoint(int seed)
    {
        var random = new StableRandom(seed, 0x4E7E);
        var options = SimulatedStream.Options(Segments, "logs.keep = 2", "checkpoint.updates = 1", "selection.selectors = 2", $"slots.max-staleness = {seed % 3}", seed % 2 == 0 ? Refresh : "logs.keep = 2");
        var output = stream.NewOutput();
        for (var start = 0; start < 3; start++)
        {
            using var killed = new SimulatedRun(stream, options, seed + 1000 * start, output);
            killed.Step(random.Below(60));
            output = SimulatedRun.Killed(output, stream.NewOutput());
        }
        using (var run = new SimulatedRun(stream, options, seed + 9000, output))
            run.End();
        // The last checkpoint closed the third segment, so the two before it and the empty one are left.
        var begins = Begins(output, "updates.jsonl");
        Assert.Equal(3, begins.Count);
        Assert.Equal(begins, Begins(output, "selections.jsonl"));
        Assert.Equal(begins, Begins(output, "metrics.jsonl"));
        Assert.Equal(SimulatedStream.Passes * SimulatedStream.Bad, DeadLetters.Read(output).Count());
        var updates = RunLog.Updates(Path.Combine(output, "updates.jsonl")).ToList();
        Assert.Equal(Enumerable.Range(0, updates.Count).Select(i => begins[0] + 1 + i), updates.Select(update => update.Version));
        Assert.Equal(12, updates[^1].Version);
        var notes = new List<string>();
        var again = stream.NewOutput();
        var replayed = await ReplayJob.RunAsync(output, again, settings => EffectiveSettings.Load(null, [], [], [], settings), notes.Add, _ => { }, CancellationToken.None);
        Assert.Equal(updates.Count, replayed.Updates);
        Assert.Contains($"the logs begin at version {begins[0]}", Assert.Single(notes));
        Assert.Equal(RunTrace.Of(output).Weights, Shared.Contracts.ContentHash.Of(File.ReadAllBytes(Path.Combine(again, "model.safetensors"))));
    }

    [Fact]
    public void While_the_checkpoint_that_would_stand_in_for_them_is_damaged_no_logs_are_deleted()
    {
        var options = SimulatedStream.Options(Segments, "logs.keep = 1", "checkpoint.updates = 2");
        var output = stream.NewOutput();
        var damaged = false;
        using (var run = new SimulatedRun(stream, options, seed: 1, output, progress: progress =>
        {
            // Retention would take what lies before version 2 with the checkpoint of version 4.
            if (progress.Version != 4 || damaged)
                return;
            damaged = true;
            var file = Directory.EnumerateFiles(Directory.EnumerateDirectories(Path.Combine(output, "checkpoints"), "v000000000002-*").Single(), "optimizer.safetensors").Single();
            File.WriteAllBytes(file, [1, 2, 3]);
            Assert.Equal([0, 2], Begins(output, "updates.jsonl"));
        }))
        {
            var outcome = run.End();
            Assert.Contains(outcome.Notes, note => note.Contains("v000000000002") && note.Contains("optimizer.safetensors"));
        }
        Assert.True(damaged);
        RunTrace.Of(output).AssertSame(Tail(Undisturbed.Of(stream), Begins(output, "updates.jsonl")[0]));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void With_a_reference_that_follows_the_result_is_the_same_bits_whatever_the_schedule_the_selectors_and_the_kills(int seed)
    {
        var options = SimulatedStream.Options(Refresh, seed % 2 == 0 ? "reference.mix = 0.6" : "reference.mix = 1", $"selection.selectors = {1 + seed % 3}");
        var random = new StableRandom(seed, 0x4EFE);
        var whole = RunTrace.Whole(stream, options, seed);
        whole.AssertEachPositionOnce();
        var output = stream.NewOutput();
        using (var killed = new SimulatedRun(stream, options, seed + 500, output))
        {
            killed.Step(random.Below(120));
            output = SimulatedRun.Killed(output, stream.NewOutput());
        }
        using (var run = new SimulatedRun(stream, options, seed + 1000, output))
            run.End();
        var trace = RunTrace.Of(output);
        trace.AssertSame(whole);
        trace.AssertReplays(output, stream.NewOutput());
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Beside_each_other_a_batch_has_one_reference_and_the_logs_rebuild_the_weights(int seed)
    {
        var staleness = 1 + seed % 4;
        using var run = new SimulatedRun(stream, SimulatedStream.Options(Refresh, "reference.mix = 0.5", $"slots.max-staleness = {staleness}", "selection.selectors = 3"), seed, stream.NewOutput());
        run.End();
        var trace = RunTrace.Of(run.Output);
        trace.AssertEachPositionOnce();
        trace.AssertReplays(run.Output, stream.NewOutput());
        var updates = RunLog.Updates(Path.Combine(run.Output, "updates.jsonl")).ToList();
        Assert.Equal(updates.Select(update => update.Version % 3 == 0), updates.Select(update => update.ReferenceHash is not null));
        // What each batch was selected with is what the newest refresh before it had brought.
        var events = RunLog.Events(Path.Combine(run.Output, "selections.jsonl")).Select(e => e.Event).ToList();
        var found = events[0].ReferenceHash;
        foreach (var e in events)
        {
            var brought = updates.LastOrDefault(update => update.Version <= e.Slot / SimulatedStream.Batch && update.ReferenceHash is not null);
            Assert.Equal(brought?.ReferenceHash ?? found, e.ReferenceHash);
        }
    }

    [Fact]
    public void A_copy_of_the_policy_as_reference_begins_at_z_zero()
    {
        using var run = new SimulatedRun(stream, SimulatedStream.Options(Refresh), seed: 1, stream.NewOutput());
        run.End();
        var events = RunLog.Events(Path.Combine(run.Output, "selections.jsonl")).Select(e => e.Event).ToList();
        var fresh = events.Where(e => e.Version > 0 && e.Version % 3 == 0).ToList();
        Assert.NotEmpty(fresh);
        Assert.All(fresh, e => Assert.Equal(e.PolicyHash, e.ReferenceHash));
        Assert.All(fresh.SelectMany(e => e.Candidates), candidate => Assert.Equal(0, candidate.Z));
        Assert.Contains(events.Where(e => e.Version % 3 == 2).SelectMany(e => e.Candidates), candidate => candidate.Z != 0);
    }

    [Fact]
    public void A_mixture_lies_between_the_old_reference_and_the_policy()
    {
        using var copy = new SimulatedRun(stream, SimulatedStream.Options("reference.refresh = 12"), seed: 1, stream.NewOutput());
        using var mixed = new SimulatedRun(stream, SimulatedStream.Options("reference.refresh = 12", "reference.mix = 0.25"), seed: 1, stream.NewOutput());
        copy.End();
        mixed.End();
        // The one refresh comes with the last version: both policies are the same.
        using var start = Policy.PolicyDirectory.LoadWeights(stream.PolicyDirectory, stream.Policy.Config);
        using var end = Newest(copy.Output);
        using var reference = Newest(mixed.Output);
        foreach (var (name, expected) in start.Tensors)
        {
            var (from, to, mean) = (expected.data<float>().ToArray(), end.Reference![name].data<float>().ToArray(), reference.Reference![name].data<float>().ToArray());
            Assert.Equal(to, end.Weights[name].data<float>().ToArray());
            for (var i = 0; i < from.Length; i++)
                Assert.Equal(0.25 * to[i] + 0.75 * from[i], mean[i], 1e-6);
        }
    }

    private static Checkpoint Newest(string output) => new CheckpointStore(Path.Combine(output, "checkpoints"), PhysicalFiles.Instance, 2).LoadNewest((_, _) => { })!;

    private static IReadOnlyList<long> Begins(string output, string log) => LogSegments.In(PhysicalFiles.Instance, Path.Combine(output, log));

    // What is left of a run's logs when all before a version is gone.
    private static RunTrace Tail(RunTrace whole, long from)
    {
        var lines = whole.Updates.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip((int)from).ToList();
        var trained = lines.Sum(line => JsonDocument.Parse(line).RootElement.GetProperty("positions").EnumerateArray().Count(position => position.ValueKind == JsonValueKind.String));
        return whole with { Updates = string.Concat(lines.Select(line => line + "\n")), Events = [.. whole.Events.TakeLast(trained)] };
    }
}
