using MassDpo.PipelineKit.Distributed;
using MassDpo.PipelineKit.Schedules;

namespace MassDpo.Simulation.Tests;

/// <summary>
/// Runs whose processes are joined over a log, of which a seed decides everything: input, settings, processes, and what befalls them and the log. <c>bench/Endurance.Bench</c>
/// runs many more.
/// </summary>
public sealed class FleetTests
{
    private const int Seeds = 200;

    // What has to come up in so many runs, or the generator has stopped making it.
    private static readonly string[] Kinds =
    [
        "members 1", "members 2", "members 3", "members 4", "partitions 1", "partitions 6", "max-staleness 0", "max-staleness 3", "lag 0", "lag 1", "lag 2", "lag 3", "no records at all",
        "end marker before the end", "all-empty batch", "replayed", .. Enum.GetValues<FleetTrouble>().Select(trouble => $"befell: {trouble}"),
        "group: partition moved", "group: session timed out", "offset committed", "control: late", "control: message doubled", "selections: late", "selections: message doubled",
        "snapshots: late", "answer: late", "another learner claimed", "learner fenced", "claim refused", "a fenced learner's notice in the log", "block handed out again", "member failed",
        "record forgotten before it was read", "dead: json", "dead: encoding", "dead: unknown-item", "dead: empty-pool", "dead: selector-failed", "dead: holder-lost",
    ];

    [Fact]
    public void Whatever_befalls_processes_and_log_each_record_is_settled_once_and_no_slot_stays_open()
    {
        using var runner = new FleetRunner();
        for (var seed = 0; seed < Seeds; seed++)
            runner.Run(seed, replays: seed % 4 == 0);
        Assert.All(Kinds, kind => Assert.True(runner.Sightings[kind] >= 3, $"{kind}: {runner.Sightings[kind]} times"));
    }

    // 4588: an intake whose part had moved gave a record up that another one had had computed in the same batch. 88993: a learner that is refused again and again while another one has the run. 47801: who joins
    // hears of a stop that was told late, and of nothing newer, since the topic has forgotten that.
    [Theory]
    [InlineData(4588)]
    [InlineData(88993)]
    [InlineData(47801)]
    public void A_seed_that_once_failed_holds(int seed)
    {
        using var runner = new FleetRunner();
        runner.Run(seed, replays: true);
    }

    [Fact]
    public void A_seed_gives_one_run()
    {
        var seen = Enumerable.Range(0, 2).Select(_ =>
        {
            using var runner = new FleetRunner();
            for (var seed = 7; seed < 17; seed++)
                runner.Run(seed, replays: false);
            return (runner.MostSteps, string.Join("\n", runner.Sightings.Counts));
        }).ToList();
        Assert.Equal(seen[0], seen[1]);
    }

    public static TheoryData<string, string> Defects => new()
    {
        { nameof(PlantedDefects.DroppingSlots), Invariants.NoSlotStaysOpen },
        { nameof(PlantedDefects.LosingReissues), Invariants.NoSlotStaysOpen },
        { nameof(PlantedDefects.ApplyingTwice), Invariants.SettledOnce },
        { nameof(PlantedDefects.CommittingEarly), FleetInvariants.CommittedIsDurable },
        { nameof(PlantedDefects.IgnoringTheEpoch), FleetInvariants.FencedIsSilent },
        { nameof(PlantedDefects.ReusingCancelledSlots), FleetInvariants.OwnEpoch },
        { nameof(PlantedDefects.GoingOnFenced), FleetInvariants.FencedIsSilent },
        { nameof(PlantedDefects.TakingOldSnapshots), FleetInvariants.VersionsMonotone },
        { nameof(PlantedDefects.KeepingWhatItHolds), Invariants.SettledOnce },
        { nameof(PlantedDefects.ReadingByTwos), FleetInvariants.OneReader },
        { nameof(PlantedDefects.BelievingTheFirstEnd), Invariants.SettledOnce },
        { nameof(PlantedDefects.LosingSkips), Invariants.SettledOnce },
    };

    [Theory]
    [MemberData(nameof(Defects))]
    public void A_defect_is_found_and_named(string defect, string invariant)
    {
        var method = typeof(PlantedDefects).GetMethod(defect)!;
        using var runner = new FleetRunner();
        for (var seed = 0; seed < Seeds; seed++)
        {
            try
            {
                runner.Run(seed, replays: false, defect: (FleetDefect)method.Invoke(null, null)!);
            }
            catch (ScheduleViolationException e)
            {
                Assert.Equal((invariant, seed), (e.Invariant, e.Seed));
                Assert.StartsWith($"seed {seed}: ", e.Message);
                return;
            }
        }
        Assert.Fail($"{defect} was not found in {Seeds} runs");
    }
}
