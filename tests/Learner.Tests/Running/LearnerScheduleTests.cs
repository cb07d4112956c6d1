using MassDpo.Learner.Slots;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Running;

/// <summary>Many seeds of runs in which selectors fail, die, forget and come back late, intakes restart, and the learner is killed or its disk fails.</summary>
public sealed class LearnerScheduleTests
{
    private const int Seeds = 120;

    [Fact]
    public void Whatever_befalls_a_run_each_record_is_settled_once_and_the_logs_give_the_weights_again()
    {
        var seen = new Dictionary<string, int>();
        void Saw(string what) => seen[what] = seen.GetValueOrDefault(what) + 1;
        for (var seed = 0; seed < Seeds; seed++)
        {
            try
            {
                Run(seed, Saw);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
            }
        }
        // The schedules do reach what this is about.
        string[] all = [.. Enum.GetNames<SelectorAct>(), "dead", "empty batch", "short batch", "intake restarted", "learner restarted", "killed", "stopped", "lag 0", "lag 1", "lag 2", "lag 3"];
        Assert.True(all.All(what => seen.GetValueOrDefault(what) > 3), string.Join(", ", all.Select(what => $"{what} {seen.GetValueOrDefault(what)}")));
    }

    private static void Run(int seed, Action<string> saw)
    {
        var random = new StableRandom(seed, 0x5EED);
        using var made = new MadeRun(records: random.Below(30), seed);
        var batch = 1 + random.Below(5);
        made.Options = made.Options with
        {
            Slots = new SlotOptions(batch, BlockSize: 1 + random.Below(batch), MaxStaleness: random.Below(4), MaxAttempts: 1 + random.Below(3), Lease: TimeSpan.FromSeconds(30)),
            CheckpointUpdates = 1 + random.Below(3),
        };
        made.Training = made.Training with { MicroBatch = random.Below(3) };
        // Records that nothing helps: invalid ones, and ones that every selector fails on.
        var poison = made.Records.Where(_ => random.Below(8) == 0).Select(record => record.Position).ToHashSet();
        var invalid = made.Records.Where(_ => random.Below(10) == 0).Select(record => record.Position).ToHashSet();
        using var folder = new TempFolder();
        var files = new FaultyFiles();
        LearnerOutcome? outcome = null;
        for (var life = random.Below(4); outcome is null; life--)
        {
            var trouble = random;
            using var process = new LearnerProcess(made, folder["out"], files, random.Below(1000))
                .WithIntake(new IntakeScript(record => invalid.Contains(record.Position), notice =>
                {
                    var fails = notice is not EpochOpened && trouble.Below(60) == 0;
                    if (fails)
                        saw("intake restarted");
                    return fails;
                }))
                .WithSelectors(1 + random.Below(3), block =>
                {
                    var act = block.Pools.Any(pool => pool is not null && poison.Contains(pool.Position)) ? SelectorAct.Fail
                        : trouble.Below(4) > 0 ? SelectorAct.Compute : (SelectorAct)trouble.Below(Enum.GetValues<SelectorAct>().Length);
                    saw(act.ToString());
                    return act;
                });
            random.Next();
            if (random.Below(2) == 0)
                files.FailAt(1 + random.Below(80), Fault.NoSpace);
            if (life > 0)
            {
                var until = random.Below(60);
                process.Host.RunUntil(() => process.Messages >= until || process.Outcome is not null);
                if (process.Outcome is null && random.Below(2) == 0)
                {
                    saw("stopped");
                    files.Mend();
                    Assert.Equal(process.Stop().PolicyHash, WholeRun.HashOf(made, folder["out", "policy"]));
                }
                else if (process.Outcome is null)
                {
                    saw("killed");
                    files.CutPower(names: random.Below(2) == 0);
                }
            }
            else
            {
                outcome = process.RunToEnd();
                Assert.False(outcome.Stopped);
            }
            if (process.Host.Restarts > 0 && files.HasFailed)
                saw("learner restarted");
            files.Mend();
        }
        var logs = new RunLogs(folder["out"]);
        logs.AssertWhole(made);
        Assert.Superset(invalid.Union(poison).ToHashSet(), logs.Dead.ToHashSet());
        Assert.Equal(outcome.PolicyHash, made.Replay(logs.Updates, logs.Selections));
        Assert.Equal(outcome.PolicyHash, WholeRun.HashOf(made, folder["out", "policy"]));
        Assert.Equal((logs.Selections.Count, logs.DeadLetters.Count), (outcome.Counts.Applied, outcome.Counts.Dead));
        foreach (var lag in logs.Selections.Select(e => e.Lag).Distinct())
            saw($"lag {lag}");
        if (logs.DeadLetters.Count > invalid.Union(poison).Count())
            saw("dead");
        if (logs.Updates.Any(update => update.Applied == 0))
            saw("empty batch");
        if (logs.Updates.Any(update => update.Positions.Count < made.Options.Slots.BatchSize))
            saw("short batch");
    }
}
