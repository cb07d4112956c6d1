using MassDpo.Shared.Actors;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Running;

/// <summary>What a checkpoint covers was told, whatever befell the learner; and what was told last of a position is so.</summary>
public sealed class OutcomeTests
{
    private static readonly IntakeScript SomeInvalid = IntakeScript.Plain with { IsInvalid = record => record.Position.Index % 4 == 1 };

    [Fact]
    public void Undisturbed_each_position_is_told_once_as_the_logs_have_it()
    {
        using var made = new MadeRun(records: 18);
        var (topic, logs, _) = Finish(made, new MadeTopic(), new TempFolder(), new FaultyFiles());
        topic.AssertHolds(logs);
        Assert.Equal(18, topic.Arrived.Count);
        Assert.Equal((1, 0), topic.Sinks);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Killed_at_any_step_on_the_disk_nothing_that_a_checkpoint_covers_is_missing(bool powerCut)
    {
        using var made = new MadeRun(records: 10);
        made.Options = made.Options with { CheckpointUpdates = 1 };
        var twice = 0;
        for (var step = 1; ; step++)
        {
            using var folder = new TempFolder();
            var (topic, files) = (new MadeTopic(), new FaultyFiles());
            using (var process = New(made, topic, folder, files))
            {
                files.FailAt(step, Fault.Crash);
                process.Host.RunUntil(() => process.Outcome is not null || files.HasFailed);
                if (!files.HasFailed)
                    break;
            }
            files.Mend();
            if (powerCut)
                files.CutPower(names: step % 2 == 0);
            var (_, logs, _) = Finish(made, topic, folder, files);
            topic.AssertHolds(logs);
            twice += topic.Arrived.Count - topic.Newest.Count;
        }
        // Between a flush and its checkpoint there were kills, too.
        Assert.NotEqual(0, twice);
    }

    [Fact]
    public void A_call_that_fails_takes_the_learner_back_to_its_checkpoint_and_nothing_is_missing()
    {
        using var made = new MadeRun(records: 10);
        made.Options = made.Options with { CheckpointUpdates = 1 };
        var (whole, _, expected) = Finish(made, new MadeTopic(), new TempFolder(), new FaultyFiles());
        for (var call = 0; call < whole.Calls; call++)
        {
            using var folder = new TempFolder();
            var (topic, logs, outcome) = Finish(made, new MadeTopic { Fails = (_, before) => before == call }, folder, new FaultyFiles());
            topic.AssertHolds(logs);
            Assert.Equal((2, 0), topic.Sinks);
            Assert.Equal(expected.PolicyHash, outcome.PolicyHash);
        }
    }

    [Fact]
    public void Where_nothing_can_be_told_the_run_ends_with_the_reason_and_can_go_on()
    {
        using var made = new MadeRun(records: 10);
        using var folder = new TempFolder();
        var (topic, files) = (new MadeTopic { Fails = (name, _) => name == "flush" }, new FaultyFiles());
        using (var process = New(made, topic, folder, files))
            Assert.Contains("made to fail: flush", Assert.Throws<FatalActorException>(() => process.RunToEnd()).Message);
        Assert.Empty(topic.Arrived);
        topic.Fails = (_, _) => false;
        var (_, logs, _) = Finish(made, topic, folder, files);
        topic.AssertHolds(logs);
    }

    private static LearnerProcess New(MadeRun made, MadeTopic topic, TempFolder folder, FaultyFiles files) =>
        new LearnerProcess(made, folder["out"], files, seed: 3, topic).WithIntake(SomeInvalid).WithSelectors(2);

    private static (MadeTopic Topic, RunLogs Logs, LearnerOutcome Outcome) Finish(MadeRun made, MadeTopic topic, TempFolder folder, FaultyFiles files)
    {
        using var process = New(made, topic, folder, files);
        var outcome = process.RunToEnd();
        process.Host.Stop();
        return (topic, new RunLogs(folder["out"]), outcome);
    }
}
