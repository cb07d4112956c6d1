using MassDpo.App.Running;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit.Files;

namespace MassDpo.App.Tests.Running;

/// <summary>A run that was interrupted anywhere goes on as if it had not been.</summary>
public sealed class PipelineResumeTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 30)];

    public static TheoryData<int> FewSeeds => [.. Enumerable.Range(1, 15)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Stopped_at_any_step_and_run_again_it_comes_out_the_same(int seed)
    {
        var random = new StableRandom(seed, 0x5709);
        var options = SimulatedStream.Options($"selection.selectors = {1 + seed % 3}");
        var output = stream.NewOutput();
        var all = StepsOf(options, seed);
        using (var first = new SimulatedRun(stream, options, seed, output))
        {
            first.Step(random.Below((int)all));
            first.Stop();
            Assert.True(first.End().Stopped);
        }
        for (var stopped = true; stopped;)
        {
            using var again = new SimulatedRun(stream, options, seed + 1000, output);
            again.Step(1 + random.Below((int)all));
            again.Stop();
            stopped = again.End().Stopped;
        }
        var trace = RunTrace.Of(output);
        trace.AssertEachPositionOnce();
        trace.AssertSame(Undisturbed.Of(stream));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Killed_at_any_step_and_run_again_it_comes_out_the_same(int seed)
    {
        var options = SimulatedStream.Options($"selection.selectors = {1 + seed % 3}");
        var steps = new StableRandom(seed, 0x4111).Below((int)StepsOf(options, seed));
        var left = KilledAfter(options, stream.NewOutput(), seed, steps);
        AssertGoesOn(options, seed, left);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Killed_between_any_two_changes_of_its_files_and_run_again_it_comes_out_the_same(int seed)
    {
        var options = SimulatedStream.Options($"selection.selectors = {1 + seed % 3}");
        var all = 0;
        using (var whole = new SimulatedRun(stream, options, seed, stream.NewOutput(), files: new KilledFiles(_ => ++all < 0, () => { })))
            whole.End();
        var (output, left) = (stream.NewOutput(), stream.NewOutput());
        var before = new StableRandom(seed, 0xF11E).Below(all);
        // The run goes on after the copy is taken of what a process leaves that is killed there.
        var killed = new KilledFiles(_ => before-- == 0, () => SimulatedRun.Killed(output, left));
        using (var run = new SimulatedRun(stream, options, seed, output, files: killed))
            run.End();
        AssertGoesOn(options, seed, left);
    }

    [Theory]
    [MemberData(nameof(FewSeeds))]
    public void However_often_it_is_interrupted_each_position_is_settled_once_and_the_logs_rebuild_the_weights(int seed)
    {
        var random = new StableRandom(seed, 0xBADD);
        var options = SimulatedStream.Options($"slots.max-staleness = {1 + seed % 3}", "selection.selectors = 2", "checkpoint.updates = 1");
        var output = stream.NewOutput();
        for (var start = 0; start < 4; start++)
            output = KilledAfter(options, output, seed + 1000 * start, random.Below(30));
        using var run = new SimulatedRun(stream, options, seed + 9000, output);
        Assert.NotEqual(0, run.End().CountsAtStart.Applied);
        var trace = RunTrace.Of(output);
        trace.AssertEachPositionOnce();
        trace.AssertReplays(output, stream.NewOutput());
    }

    [Fact]
    public void A_run_that_has_ended_stays_as_it_is()
    {
        var output = stream.NewOutput();
        for (var start = 1; start <= 2; start++)
        {
            using var run = new SimulatedRun(stream, SimulatedStream.Options(), start, output);
            Assert.False(run.End().Stopped);
        }
        RunTrace.Of(output).AssertSame(Undisturbed.Of(stream));
    }

    [Fact]
    public void More_passes_go_on_where_the_run_had_ended()
    {
        var output = stream.NewOutput();
        using (var once = new SimulatedRun(stream, SimulatedStream.Options("ingest.passes = 1"), seed: 1, output))
            once.End();
        var afterOne = RunTrace.Of(output);
        using (var again = new SimulatedRun(stream, SimulatedStream.Options(), seed: 2, output))
            again.End();
        var trace = RunTrace.Of(output);
        trace.AssertEachPositionOnce();
        Assert.Equal(SimulatedStream.Lines - SimulatedStream.Bad, afterOne.Trained.Count);
        Assert.StartsWith(afterOne.Updates, trace.Updates);
        trace.AssertReplays(output, stream.NewOutput());
    }

    private void AssertGoesOn(RunOptions options, int seed, string left)
    {
        using (var run = new SimulatedRun(stream, options, seed + 1000, left))
            run.End();
        var trace = RunTrace.Of(left);
        trace.AssertEachPositionOnce();
        trace.AssertSame(Undisturbed.Of(stream));
    }

    // A seed gives one schedule: a run that is interrupted goes the same way up to there.
    private long StepsOf(RunOptions options, int seed)
    {
        using var run = new SimulatedRun(stream, options, seed, stream.NewOutput());
        run.End();
        return run.StepsToEnd;
    }

    // What a killed process leaves.
    private string KilledAfter(RunOptions options, string output, int seed, int steps)
    {
        using var run = new SimulatedRun(stream, options, seed, output);
        run.Step(steps);
        return SimulatedRun.Killed(output, stream.NewOutput());
    }
}
