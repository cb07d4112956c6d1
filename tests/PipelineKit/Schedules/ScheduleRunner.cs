using MassDpo.App.Running;
using MassDpo.Learner;
using MassDpo.PolicyKit;
using MassDpo.Shared.Files;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;
using MassDpo.TestKit.Simulation;
using TorchSharp;

namespace MassDpo.PipelineKit.Schedules;

/// <summary>A defect put into a run on purpose, to see whether it is found.</summary>
/// <param name="Links">put below what befalls a run</param>
/// <param name="Files">put between the run and its files</param>
public sealed record PlantedDefect(Func<PipelineLinks, PipelineLinks>? Links = null, Func<IFiles, IFiles>? Files = null);

/// <summary>
/// Runs the whole pipeline, intake, selectors, learner and files, as seeds decide, and holds each run against <see cref="Invariants"/>. All of them share one
/// policy of hidden size 8. One thread at a time.
/// </summary>
public sealed class ScheduleRunner : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly LoadedPolicy _policy;

    public ScheduleRunner()
    {
        MadePolicy.Write(_folder["policy"], MadePolicy.Config(vocabulary: 40, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1, positions: 16));
        _policy = LoadedPolicy.Load(_folder["policy"]);
    }

    /// <summary>What came up in all runs so far.</summary>
    public Sightings Sightings { get; } = new();

    /// <summary>The most steps that one start took per position of its input.</summary>
    public double MostStepsPerPosition { get; private set; }

    /// <summary>Runs what a seed stands for and checks what came of it.</summary>
    /// <param name="seed">of everything</param>
    /// <param name="replays">whether the logs are replayed too</param>
    /// <param name="defect">see there</param>
    /// <exception cref="ScheduleViolationException">an invariant does not hold</exception>
    public void Run(int seed, bool replays = true, PlantedDefect? defect = null)
    {
        var schedule = PipelineSchedule.Of(seed);
        var tensors = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (var folder = new TempFolder())
        {
            var stream = new ScheduledStream(schedule, _policy, folder["data.jsonl"]);
            var trace = RunLives(schedule, stream, folder["out"], Sightings, defect);
            if (replays)
                RunChecks.AssertReplays(schedule, trace, folder["out"], folder["again"], Sightings);
            if (schedule is { MaxStaleness: 0, Grows: false })
            {
                var undisturbed = RunLives(schedule.Undisturbed(), stream, folder["undisturbed"], new Sightings(), defect: null);
                RunChecks.AssertSameBits(schedule, trace, undisturbed, Sightings);
            }
        }
        if (DisposeScopeManager.Statistics.ThreadTotalLiveCount != tensors)
            throw new ScheduleViolationException(Invariants.NothingLeft, seed, $"{DisposeScopeManager.Statistics.ThreadTotalLiveCount - tensors} are left");
        Saw(schedule);
    }

    public void Dispose()
    {
        _policy.Dispose();
        _folder.Dispose();
    }

    private RunChecks.Trace RunLives(PipelineSchedule schedule, ScheduledStream stream, string output, Sightings sightings, PlantedDefect? defect)
    {
        var files = new FaultyFiles();
        using var book = new RunBook(schedule, sightings);
        var (holdersLost, failed) = (false, false);
        LearnerOutcome? outcome = null;
        foreach (var life in schedule.Lives)
        {
            book.BeginLife();
            var host = new SimulatedHost(life.Seed);
            var troubled = new TroubledLinks(schedule, life, stream.IsPoison, host.Clock, sightings);
            try
            {
                using var run = new SimulatedRun(stream, schedule.OptionsOf(life), host, output,
                    local => book.Over(troubled.Over(defect?.Links?.Invoke(local) ?? local)), _ => troubled.AfterUpdate(), defect?.Files?.Invoke(files) ?? files);
                outcome = Live(schedule, life, run, files, sightings);
            }
            catch (SimulationStuckException e)
            {
                throw book.Violation ?? new ScheduleViolationException(Invariants.NoSlotStaysOpen, schedule.Seed, e.Message, e);
            }
            catch (Exception e) when (e is not ScheduleViolationException)
            {
                throw book.Violation ?? new ScheduleViolationException(Invariants.GoesOn, schedule.Seed, e.Message, e);
            }
            if (files.HasFailed)
                sightings.Saw("disk full");
            files.Mend();
            if (life.End == LifeEnd.PowerCut && outcome is null)
                files.CutPower(names: life.Seed % 2 == 0);
            holdersLost |= troubled.HoldersWereLost;
            failed |= troubled.FailedNowAndThen;
            if (book.Violation is { } violation)
                throw violation;
        }
        if (outcome is null || outcome.Stopped || book.Out > 0)
            throw new ScheduleViolationException(Invariants.NoSlotStaysOpen, schedule.Seed, $"the input has ended, but {book.Out} blocks are out");
        return RunChecks.AssertWhole(schedule, stream, book, outcome, output, holdersLost, failed, sightings);
    }

    // Null: the process died. A crash leaves no mark of having failed in the files.
    private LearnerOutcome? Live(PipelineSchedule schedule, Life life, SimulatedRun run, FaultyFiles files, Sightings sightings)
    {
        // A full disk while it ends in order is not what a run survives.
        if (life.Trouble.DiskIsFullAt > 0 && life.End != LifeEnd.Stop)
            files.FailAt(life.Trouble.DiskIsFullAt, Fault.NoSpace);
        switch (life.End)
        {
            case LifeEnd.Input:
                return End();
            case LifeEnd.Crash:
                files.FailAt(life.After, Fault.Crash);
                run.Step(Bound(schedule), () => files.HasFailed);
                break;
            default:
                run.Step(life.After);
                break;
        }
        if (run.HasEnded)
        {
            sightings.Saw("ended by itself before");
            return End();
        }
        if (life.End == LifeEnd.Stop)
        {
            sightings.Saw("stopped");
            run.Stop();
            return End();
        }
        sightings.Saw(life.End == LifeEnd.PowerCut ? "power cut" : life.End == LifeEnd.Kill ? "killed" : "died in the middle of a change of its files");
        // Whoever is still at something finds that the process is dead.
        files.FailWhen(_ => true, Fault.Crash);
        return null;

        LearnerOutcome End()
        {
            var outcome = run.End(Bound(schedule));
            MostStepsPerPosition = Math.Max(MostStepsPerPosition, (double)run.StepsToEnd / (10 + schedule.Lines.Count * schedule.Passes));
            return outcome;
        }
    }

    // More than four times what the longest of 10,000 schedules took.
    private static long Bound(PipelineSchedule schedule) => 200L * (10 + schedule.Lines.Count * schedule.Passes);

    private void Saw(PipelineSchedule schedule)
    {
        Sightings.Saw("schedules");
        Sightings.Saw($"selectors {schedule.Selectors}");
        Sightings.Saw($"max-staleness {schedule.MaxStaleness}");
        Sightings.Saw($"method {schedule.Method}");
        Sightings.Saw("starts", schedule.Lives.Count);
        if (schedule.Lines.Count == 0)
            Sightings.Saw("no records at all");
        if (schedule.Passes > 1)
            Sightings.Saw("several passes");
        if (schedule.Shuffle != "none")
            Sightings.Saw("shuffled");
        if (schedule.Lives[^1].MaxRecords > 0)
            Sightings.Saw("max-records");
        if (schedule.Grows)
            Sightings.Saw("a limit that was raised");
    }
}
