using MassDpo.Learner.Slots;

namespace MassDpo.Learner.Tests.Slots;

public sealed class SlotLedgerScheduleTests
{
    [Fact]
    public void Whatever_the_schedule_its_rules_hold()
    {
        var (dead, applied, reissued, defects, shortBatches) = (0, 0, 0, 0, 0);
        for (var seed = 0; seed < 3000; seed++)
        {
            var schedule = new LedgerSchedule(seed);
            schedule.Run();
            dead += schedule.Dead;
            applied += schedule.Applied;
            reissued += schedule.Reissued;
            defects += schedule.Defects;
            shortBatches += schedule.ShortBatches;
        }
        // The schedules do reach what the rules are about.
        Assert.True(dead > 1000 && applied > 10_000 && reissued > 10_000 && defects > 1000 && shortBatches > 1000,
            $"{dead} dead, {applied} applied, {reissued} reissued, {defects} defects, {shortBatches} short batches");
    }
}
