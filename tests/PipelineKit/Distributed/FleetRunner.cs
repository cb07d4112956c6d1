using MassDpo.App.Running;
using MassDpo.PipelineKit.Schedules;
using MassDpo.PolicyKit;
using MassDpo.TestKit;
using TorchSharp;

namespace MassDpo.PipelineKit.Distributed;

/// <summary>
/// Runs whose processes are joined over a log, as seeds decide, each held against <see cref="Invariants"/> and <see cref="FleetInvariants"/>. All of them share one policy of
/// hidden size 8. One thread at a time.
/// </summary>
public sealed class FleetRunner : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly LoadedPolicy _policy;

    public FleetRunner()
    {
        MadePolicy.Write(_folder["policy"], MadePolicy.Config(vocabulary: 40, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1, positions: 16));
        _policy = LoadedPolicy.Load(_folder["policy"]);
    }

    /// <summary>What came up in all runs so far.</summary>
    public Sightings Sightings { get; } = new();

    /// <summary>Told of all that goes over the log, for who looks at one run; null: nobody does.</summary>
    public Action<string>? Trace { get; init; }

    /// <summary>The most steps that a run took per thing in its input and thing that befell it.</summary>
    public double MostSteps { get; private set; }

    /// <summary>Runs what a seed stands for and checks what came of it.</summary>
    /// <param name="seed">of everything</param>
    /// <param name="replays">whether the logs are replayed too</param>
    /// <param name="defect">see there</param>
    /// <exception cref="ScheduleViolationException">an invariant does not hold</exception>
    public void Run(int seed, bool replays = true, FleetDefect? defect = null)
    {
        var schedule = FleetSchedule.Of(seed);
        var tensors = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var size = 20 + schedule.Input.Count + 10 * schedule.Events.Count;
        using (var folder = new TempFolder())
        {
            using var fleet = new Fleet(schedule, _policy, folder.Path, Sightings, defect, Trace);
            var (outcome, output, steps) = fleet.Run(mostSteps: 1000L * size);
            MostSteps = Math.Max(MostSteps, (double)steps / size);
            FleetChecks.AssertWhole(schedule, fleet, outcome, output, Sightings);
            if (replays)
                FleetChecks.AssertReplays(schedule, fleet, outcome, output, Sightings);
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

    private void Saw(FleetSchedule schedule)
    {
        Sightings.Saw("runs");
        Sightings.Saw($"members {schedule.Members}");
        Sightings.Saw($"partitions {schedule.Partitions}");
        Sightings.Saw($"max-staleness {schedule.MaxStaleness}");
        if (schedule.Input.Count == 0)
            Sightings.Saw("no records at all");
        if (schedule.Input.Any(item => item.Kind == InputKind.EarlyEnd))
            Sightings.Saw("end marker before the end");
    }
}
