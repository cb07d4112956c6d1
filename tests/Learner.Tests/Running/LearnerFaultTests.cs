using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Actors;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Running;

/// <summary>Faults of the disk under a whole run.</summary>
public sealed class LearnerFaultTests
{
    // With segments of a byte every checkpoint begins new ones.
    public static TheoryData<Fault, string, int> Faults => new()
    {
        { Fault.NoSpace, "", 0 },
        { Fault.NoSpace, "", 1 },
        { Fault.Crash, "", 0 },
        { Fault.Crash, "power cut", 0 },
        { Fault.Crash, "power cut", 1 },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_fault_at_any_step_on_the_disk_changes_nothing_in_the_end(Fault fault, string then, int segmentBytes)
    {
        using var made = new MadeRun(records: 10);
        made.Options = made.Options with { CheckpointUpdates = 1, Logs = new LogOptions(segmentBytes, SegmentsKept: 0) };
        var (whole, expected) = WholeRun.Uninterrupted(made);
        var names = new HashSet<string>();
        for (var step = 1; ; step++)
        {
            using var folder = new TempFolder();
            var files = new FaultyFiles();
            LearnerOutcome? outcome = null;
            using (var process = new LearnerProcess(made, folder["out"], files, seed: 3).WithIntake().WithSelectors(2))
            {
                var before = files.Journal.Count;
                files.FailAt(step, fault);
                process.Host.RunUntil(() => process.Outcome is not null || (files.HasFailed && fault == Fault.Crash));
                outcome = process.Outcome;
                if (!files.HasFailed)
                {
                    Assert.Superset(new HashSet<string> { "append", "create", "delete", "rename", "sync", "sync-folder", "write" }, names);
                    return;
                }
                names.Add(files.Journal[before + step - 1].Name);
                if (fault == Fault.NoSpace)
                    Assert.Equal(1, process.Host.Restarts);
            }
            files.Mend();
            if (then == "power cut")
                files.CutPower(names: step % 2 == 0);
            RunLogs logs;
            if (outcome is null)
                (outcome, logs) = WholeRun.Finish(made, folder, files, seed: step);
            else
                logs = new RunLogs(folder["out"]);
            Assert.Equal(whole.PolicyHash, outcome.PolicyHash);
            WholeRun.AssertSame(expected, logs);
            logs.AssertWhole(made);
        }
    }

    [Fact]
    public void A_fault_while_the_run_is_ended_on_request_is_told_and_the_next_start_goes_on()
    {
        using var made = new MadeRun(records: 10);
        var (whole, expected) = WholeRun.Uninterrupted(made);
        for (var step = 1; ; step++)
        {
            using var folder = new TempFolder();
            var files = new FaultyFiles();
            using (var process = new LearnerProcess(made, folder["out"], files, seed: 3).WithIntake().WithSelectors(2))
            {
                process.Host.RunUntil(() => process.Progress.Count == 1);
                files.FailAt(step, Fault.NoSpace);
                var failure = Record.Exception(() => process.Stop());
                if (!files.HasFailed)
                {
                    Assert.Null(failure);
                    Assert.True(step > 20);
                    return;
                }
                Assert.Contains("could not be ended in order: No space left on device", Assert.IsType<FatalActorException>(failure).Message);
            }
            files.Mend();
            var (outcome, logs) = WholeRun.Finish(made, folder, files, seed: step);
            Assert.Equal(whole.PolicyHash, outcome.PolicyHash);
            WholeRun.AssertSame(expected, logs);
        }
    }

    [Theory]
    [InlineData("append")]
    [InlineData("write")]
    [InlineData("sync")]
    [InlineData("rename")]
    public void A_disk_that_stays_full_ends_the_run_with_the_reason_and_it_goes_on_once_there_is_room(string what)
    {
        using var made = new MadeRun(records: 18);
        var (whole, expected) = WholeRun.Uninterrupted(made);
        using var folder = new TempFolder();
        var files = new FaultyFiles();
        using (var process = new LearnerProcess(made, folder["out"], files, seed: 3).WithIntake().WithSelectors(2))
        {
            process.Host.RunUntil(() => process.Progress.Count == 3);
            files.FailWhen(step => step.Name == what && Path.GetFileName(step.Path) is not ("epoch" or "epoch.writing"), Fault.NoSpace);
            var failure = Assert.ThrowsAny<Exception>(() => process.RunToEnd());
            Assert.Contains("No space left on device", failure.Message);
            Assert.InRange(process.Host.Restarts, 1, 10);
        }
        files.Mend();
        var (outcome, logs) = WholeRun.Finish(made, folder, files, seed: 4);
        Assert.Equal(whole.PolicyHash, outcome.PolicyHash);
        WholeRun.AssertSame(expected, logs);
    }

    [Fact]
    public void A_disk_that_turns_read_only_ends_the_run_with_the_reason_and_it_goes_on_once_it_can_be_written()
    {
        using var made = new MadeRun(records: 18);
        var (whole, expected) = WholeRun.Uninterrupted(made);
        using var folder = new TempFolder();
        var files = new FaultyFiles();
        using (var process = new LearnerProcess(made, folder["out"], files, seed: 3).WithIntake().WithSelectors(2))
        {
            process.Host.RunUntil(() => process.Progress.Count == 3);
            files.FailWhen(_ => true, Fault.ReadOnly);
            Assert.Contains("Read-only file system", Assert.ThrowsAny<Exception>(() => process.RunToEnd()).Message);
        }
        Assert.Contains("Read-only file system", Assert.Throws<IOException>(() => new LearnerProcess(made, folder["out"], files, seed: 4)).Message);
        Assert.Contains("Read-only file system", Assert.Throws<IOException>(() => new LearnerProcess(made, folder["another"], files, seed: 4)).Message);
        files.Mend();
        var (outcome, logs) = WholeRun.Finish(made, folder, files, seed: 4);
        Assert.Equal(whole.PolicyHash, outcome.PolicyHash);
        WholeRun.AssertSame(expected, logs);
    }
}
