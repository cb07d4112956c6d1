using MassDpo.App.Running;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.App.Tests.Running;

/// <summary>Selectors, intake and learner that fail: nothing is lost, and in turns not even a bit changes.</summary>
public sealed class PipelineFaultTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    private const string Patient = "slots.max-attempts = 1000";

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 20)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_record_on_which_selectors_always_fail_dies_and_all_others_are_trained_on(int seed)
    {
        var undisturbed = Undisturbed.Of(stream);
        var poison = undisturbed.Trained[20];
        using var run = new SimulatedRun(stream, SimulatedStream.Options($"selection.selectors = {1 + seed % 3}", "slots.max-attempts = 3"), seed, stream.NewOutput(),
            links => links.FailingOn(pool => pool.Position == poison));
        run.End();
        var trace = RunTrace.Of(run.Output);
        trace.AssertEachPositionOnce();
        Assert.Equal(undisturbed.Trained.Where(position => position != poison), trace.Trained);
        Assert.Equal([(poison, DeadLetterCodes.Selector)], trace.Dead.Except(undisturbed.Dead));
        Assert.Equal($"made to fail on {poison}", (string?)Assert.Single(DeadLetters.Read(run.Output), letter => letter.Position == poison).Line["reason"]);
        trace.AssertReplays(run.Output, stream.NewOutput());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void A_failing_record_is_tried_as_often_as_it_may(int attempts)
    {
        var poison = Undisturbed.Of(stream).Trained[20];
        var tried = 0;
        RunTrace.Whole(stream, SimulatedStream.Options($"slots.max-attempts = {attempts}"), seed: 1, links => links.FailingOn(pool =>
        {
            tried += pool.Position == poison ? 1 : 0;
            return pool.Position == poison;
        }));
        Assert.Equal(attempts, tried);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Records_on_which_selectors_fail_now_and_then_are_tried_again(int seed)
    {
        var random = new StableRandom(seed, 0xFA11);
        var failed = 0;
        var trace = RunTrace.Whole(stream, SimulatedStream.Options($"selection.selectors = {1 + seed % 3}", Patient), seed, links => links.FailingOn(_ =>
        {
            var fails = random.Below(12) == 0;
            failed += fails ? 1 : 0;
            return fails;
        }));
        Assert.NotEqual(0, failed);
        trace.AssertSame(Undisturbed.Of(stream));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void What_a_selector_held_that_threw_is_handed_out_again(int seed)
    {
        var random = new StableRandom(seed, 0x7480);
        using var run = new SimulatedRun(stream, SimulatedStream.Options($"selection.selectors = {1 + seed % 3}", Patient), seed, stream.NewOutput(),
            links => links.ThrowingOn(_ => random.Below(5) == 0));
        run.End();
        Assert.NotEqual(0, run.Restarts);
        RunTrace.Of(run.Output).AssertSame(Undisturbed.Of(stream));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Intake_and_selectors_that_throw_at_any_step_change_nothing(int seed)
    {
        using var run = new SimulatedRun(stream, SimulatedStream.Options($"selection.selectors = {1 + seed % 3}", Patient), seed, stream.NewOutput(), links => links.ThrowingAfterwards(seed));
        run.End();
        Assert.NotEqual(0, run.Restarts);
        RunTrace.Of(run.Output).AssertSame(Undisturbed.Of(stream));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_learner_that_throws_goes_on_from_its_checkpoint(int seed)
    {
        var random = new StableRandom(seed, 0x1EA4);
        using var run = new SimulatedRun(stream, SimulatedStream.Options($"selection.selectors = {1 + seed % 3}", Patient), seed, stream.NewOutput(),
            progress: _ =>
            {
                if (random.Below(8) == 0)
                    throw new IOException("made to fail");
            });
        var outcome = run.End();
        RunTrace.Of(run.Output).AssertSame(Undisturbed.Of(stream));
        Assert.Equal(90, outcome.Counts.Applied);
    }

    [Fact]
    public void A_selector_that_hangs_loses_its_block_to_another_one()
    {
        using var run = new SimulatedRun(stream, SimulatedStream.Options("selection.selectors = 2", Patient), seed: 1, stream.NewOutput(), Faults.HangingOnce);
        run.End();
        RunTrace.Of(run.Output).AssertSame(Undisturbed.Of(stream));
    }

    [Fact]
    public void What_arrives_twice_is_trained_on_once() =>
        RunTrace.Whole(stream, SimulatedStream.Options("selection.selectors = 2"), seed: 1, Faults.Doubling).AssertSame(Undisturbed.Of(stream));

    [Fact]
    public void A_block_whose_selectors_are_lost_each_time_dies_and_the_stream_goes_on()
    {
        var undisturbed = Undisturbed.Of(stream);
        var poison = undisturbed.Trained[20];
        using var run = new SimulatedRun(stream, SimulatedStream.Options("slots.max-attempts = 3"), seed: 1, stream.NewOutput(),
            links => links.ThrowingOn(block => block.Selections.Any(selection => selection?.Pool.Position == poison)));
        run.End();
        var trace = RunTrace.Of(run.Output);
        trace.AssertEachPositionOnce();
        // Slots 20 is in the block of slots 19 to 21: nobody can tell which of the three is to blame.
        Assert.Equal(undisturbed.Trained.Skip(19).Take(3).Select(position => (position, DeadLetterCodes.HolderLost)).OrderBy(letter => letter.position.Index),
            trace.Dead.Except(undisturbed.Dead).OrderBy(letter => letter.Position.Index));
        trace.AssertReplays(run.Output, stream.NewOutput());
    }

    [Fact]
    public void Selectors_that_only_fail_end_the_run_with_the_reason_and_it_can_go_on()
    {
        var options = SimulatedStream.Options(Patient);
        var output = stream.NewOutput();
        using (var run = new SimulatedRun(stream, options, seed: 1, output, links => links.Unusable()))
        {
            var failure = Assert.Throws<ActorFailedException>(() => run.End());
            Assert.Contains("no link", failure.Message);
        }
        using (var run = new SimulatedRun(stream, options, seed: 2, output))
            run.End();
        RunTrace.Of(output).AssertSame(Undisturbed.Of(stream));
    }
}
