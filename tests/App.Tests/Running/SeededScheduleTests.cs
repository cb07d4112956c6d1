using MassDpo.App.Running;
using MassDpo.PipelineKit.Schedules;

namespace MassDpo.App.Tests.Running;

/// <summary>
/// Whole runs of which a seed decides everything: data, settings, starts, and what befalls them. <c>bench/Endurance.Bench</c> runs 10,000 of them.
/// </summary>
public sealed class SeededScheduleTests
{
    private const int Seeds = 200;

    // What has to come up in so many schedules, or the generator has stopped making it.
    private static readonly string[] Kinds =
    [
        "selectors 1", "selectors 2", "selectors 3", "selectors 4", "max-staleness 0", "max-staleness 1", "max-staleness 2", "max-staleness 3", "lag 0", "lag 1", "lag 2", "lag 3",
        "method All", "method Exact", "method Hardest", "method Mass", "method Random", "several passes", "shuffled", "max-records", "a limit that was raised", "no records at all",
        "selector died after a message", "selector died after sending", "selector died before it told of its block", "selector died before sending", "selector failed now and then",
        "selector failed on poison", "selector lost for good", "selector slow", "block handed out again", "old block: of a closed batch", "old block: of an older attempt",
        "old block: of an older epoch", "intake died", "new epoch at the same version", "learner failed", "learner restarted below the selectors' version", "disk full",
        "message late", "message doubled", "notice late", "offer late", "block late", "snapshot late", "selections late", "selections doubled",
        "stopped", "killed", "died in the middle of a change of its files", "power cut", "dead: json", "dead: encoding", "dead: unknown-item", "dead: empty-pool",
        "dead: selector-failed", "dead: holder-lost", "record died in an open batch", "all-empty batch", "end of input inside a batch", "short batch before the end",
        "compared bit by bit with an undisturbed run", "replayed", "selection scored again",
    ];

    [Fact]
    public void Whatever_befalls_a_run_each_record_is_settled_once_nothing_is_too_old_and_no_slot_stays_open()
    {
        using var runner = new ScheduleRunner();
        for (var seed = 0; seed < Seeds; seed++)
            runner.Run(seed, replays: seed % 4 == 0);
        Assert.All(Kinds, kind => Assert.True(runner.Sightings[kind] >= 3, $"{kind}: {runner.Sightings[kind]} times"));
    }

    [Fact]
    public void A_seed_gives_one_run()
    {
        var seen = Enumerable.Range(0, 2).Select(_ =>
        {
            using var runner = new ScheduleRunner();
            for (var seed = 7; seed < 12; seed++)
                runner.Run(seed, replays: false);
            return (runner.MostStepsPerPosition, string.Join("\n", runner.Sightings.Counts));
        }).ToList();
        Assert.Equal(seen[0], seen[1]);
    }

    public static TheoryData<string, string> Defects => new()
    {
        { nameof(PlantedDefects.PublishingOldWeights), Invariants.TrueVersion },
        { nameof(PlantedDefects.ClaimingTheNewestVersion), Invariants.TrueVersion },
        { nameof(PlantedDefects.AllowingOneVersionMore), Invariants.Staleness },
        { nameof(PlantedDefects.LosingReissues), Invariants.NoSlotStaysOpen },
        { nameof(PlantedDefects.LosingGrants), Invariants.NoSlotStaysOpen },
        { nameof(PlantedDefects.LosingDeadLetters), Invariants.NoSlotStaysOpen },
        { nameof(PlantedDefects.ForgettingWhatIsSettled), Invariants.LogsAgree },
        { nameof(PlantedDefects.GivingOneRecordTwoSlots), Invariants.SettledOnce },
        { nameof(PlantedDefects.TakingOldAttempts), Invariants.StaysDead },
        { nameof(PlantedDefects.ChoosingByWhoChooses), Invariants.SameBits },
        { nameof(PlantedDefects.TrainingOnOtherPicks), Invariants.Replays },
        { nameof(PlantedDefects.HoldingOnToVersions), Invariants.NothingLeft },
        { nameof(PlantedDefects.NotCutting), Invariants.SettledOnce },
    };

    [Theory]
    [MemberData(nameof(Defects))]
    public void A_defect_is_found_and_named(string defect, string invariant)
    {
        var method = typeof(PlantedDefects).GetMethod(defect)!;
        var planted = method.ReturnType == typeof(PipelineLinks)
            ? new PlantedDefect(Links: method.CreateDelegate<Func<PipelineLinks, PipelineLinks>>())
            : new PlantedDefect(Files: method.CreateDelegate<Func<Shared.Files.IFiles, Shared.Files.IFiles>>());
        using var runner = new ScheduleRunner();
        for (var seed = 0; seed < Seeds; seed++)
        {
            try
            {
                runner.Run(seed, defect: planted);
            }
            catch (ScheduleViolationException e)
            {
                Assert.Equal((invariant, seed), (e.Invariant, e.Seed));
                Assert.StartsWith($"seed {seed}: ", e.Message);
                return;
            }
        }
        Assert.Fail($"{defect} was not found in {Seeds} schedules");
    }
}
