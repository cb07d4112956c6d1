using MassDpo.App.Running;
using MassDpo.Learner.Checkpoints;
using MassDpo.Selection;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Files;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.App.Tests.Running;

/// <summary>The order in which actors get their turn comes from a seed; nothing that counts may depend on it.</summary>
public sealed class PipelineScheduleTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    public static TheoryData<int> FewSeeds => [.. Enumerable.Range(1, 30)];

    public static TheoryData<SelectionMethod> Methods => [.. Enum.GetValues<SelectionMethod>()];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void In_turns_the_result_is_the_same_bits_whatever_the_schedule_and_the_number_of_selectors(int seed)
    {
        var trace = RunTrace.Whole(stream, SimulatedStream.Options($"selection.selectors = {1 + seed % 3}"), seed);
        trace.AssertEachPositionOnce();
        Assert.All(trace.Lags, lag => Assert.Equal(0, lag));
        trace.AssertSame(Undisturbed.Of(stream));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void That_holds_for_every_method(SelectionMethod method)
    {
        var name = $"selection.method = {method.Name()}";
        var first = RunTrace.Whole(stream, SimulatedStream.Options(name), seed: 1);
        first.AssertEachPositionOnce();
        RunTrace.Whole(stream, SimulatedStream.Options(name, "selection.selectors = 3"), seed: 2).AssertSame(first);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Real_threads_give_the_same_bits_as_a_simulated_schedule(int selectors)
    {
        var options = SimulatedStream.Options($"selection.selectors = {selectors}");
        using var directory = RunDirectory.Open(stream.NewOutput(), PhysicalFiles.Instance);
        await using var source = stream.Open(options);
        using (var links = PipelineLinks.Local())
        {
            await using var host = new LocalHost(TimeProvider.System, NullLogger.Instance);
            var learner = new LearnerRole(host, links, stream.Policy, source.Identity, directory, options, new LearnerSeams(_ => { }, _ => { }));
            using var cache = SelectorRole.OpenCache(stream.Policy, options, PhysicalFiles.Instance, NullLogger.Instance);
            SelectorRole.Spawn(host, links, stream.Policy, cache, source, options);
            await learner.EndAsync();
        }
        RunTrace.Of(directory.Root).AssertSame(Undisturbed.Of(stream));
    }

    [Theory]
    [MemberData(nameof(FewSeeds))]
    public void Beside_each_other_no_selection_is_older_than_allowed_and_the_logs_rebuild_the_weights(int seed)
    {
        var staleness = 1 + seed % 3;
        using var run = new SimulatedRun(stream, SimulatedStream.Options($"slots.max-staleness = {staleness}", "selection.selectors = 3"), seed, stream.NewOutput());
        var outcome = run.End();
        var trace = RunTrace.Of(run.Output);
        trace.AssertEachPositionOnce();
        Assert.All(trace.Lags, lag => Assert.InRange(lag, 0, staleness));
        Assert.Equal(trace.Lags.CountBy(lag => lag).OrderBy(lag => lag.Key), outcome.Lags.Select(lag => KeyValuePair.Create(lag.Key, (int)lag.Value)));
        trace.AssertReplays(run.Output, stream.NewOutput());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Selectors_use_the_staleness_that_they_are_allowed(int staleness)
    {
        var options = SimulatedStream.Options($"slots.max-staleness = {staleness}", "selection.selectors = 3");
        Assert.Contains(Enumerable.Range(1, 5), seed => RunTrace.Whole(stream, options, seed).Lags.Max() == staleness);
    }

    [Fact]
    public void Events_are_told_in_the_order_of_the_log_and_each_once()
    {
        using var run = new SimulatedRun(stream, SimulatedStream.Options("selection.selectors = 2", "slots.max-staleness = 1"), seed: 3, stream.NewOutput());
        run.End();
        Assert.Equal(RunTrace.Of(run.Output).Trained, run.Tapped.Select(e => e.Position));
    }
}
