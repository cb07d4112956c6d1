using MassDpo.Shared.Numerics;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Running;

/// <summary>Whole runs of the learner among intakes and selectors, each under a seeded schedule.</summary>
public sealed class LearnerRunTests
{
    [Fact]
    public void Without_staleness_every_schedule_and_number_of_selectors_gives_the_same_bits()
    {
        using var made = new MadeRun(records: 18);
        RunLogs? first = null;
        var hashes = new HashSet<string>();
        for (var seed = 0; seed < 30; seed++)
        {
            using var folder = new TempFolder();
            using var process = new LearnerProcess(made, folder["out"], new FaultyFiles(), seed).WithIntake().WithSelectors(1 + seed % 4);
            var outcome = process.RunToEnd();
            var logs = new RunLogs(folder["out"]);
            logs.AssertWhole(made);
            Assert.Equal((false, 5, 18, 0), (outcome.Stopped, outcome.Version, outcome.Counts.Applied, outcome.Counts.Dead));
            hashes.Add(outcome.PolicyHash);
            first ??= logs;
            Assert.Equal(first.UpdateLines, logs.UpdateLines);
            Assert.Equal(first.Hashes, logs.Hashes);
            Assert.Equal(outcome.PolicyHash, WholeRun.HashOf(made, folder["out", "policy"]));
        }
        Assert.Single(hashes);
        Assert.Equal(made.Replay(first!.Updates, first.Selections), hashes.Single());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void With_staleness_selections_lag_at_most_that_and_the_logs_alone_give_the_weights_again(int staleness)
    {
        using var made = new MadeRun(records: 22);
        made.Options = made.Options with { Slots = made.Options.Slots with { MaxStaleness = staleness } };
        var lags = new HashSet<long>();
        for (var seed = 0; seed < 20; seed++)
        {
            using var folder = new TempFolder();
            using var process = new LearnerProcess(made, folder["out"], new FaultyFiles(), seed).WithIntake().WithSelectors(1 + seed % 3);
            var outcome = process.RunToEnd();
            var logs = new RunLogs(folder["out"]);
            logs.AssertWhole(made);
            lags.UnionWith(logs.Selections.Select(e => e.Lag));
            Assert.Equal(logs.Selections.CountBy(e => e.Lag).OrderBy(lag => lag.Key), outcome.Lags.Select(lag => KeyValuePair.Create(lag.Key, (int)lag.Value)));
            Assert.Equal(outcome.PolicyHash, made.Replay(logs.Updates, logs.Selections));
        }
        Assert.Equal(staleness, lags.Max());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Stopped_or_killed_after_any_message_it_goes_on_to_the_same_bits(bool killed)
    {
        using var made = new MadeRun(records: 14);
        var (whole, expected) = WholeRun.Uninterrupted(made);
        for (var seed = 0; seed < 3; seed++)
        {
            for (var after = 0; ; after++)
            {
                using var folder = new TempFolder();
                var files = new FaultyFiles();
                using (var first = new LearnerProcess(made, folder["out"], files, seed).WithIntake().WithSelectors(2))
                {
                    first.Host.RunUntil(() => first.Messages >= after || first.Outcome is not null);
                    if (first.Outcome is not null)
                    {
                        Assert.True(after > 20);
                        break;
                    }
                    if (!killed)
                    {
                        Assert.True(first.Stop().Stopped);
                        Assert.Equal(first.Outcome!.PolicyHash, WholeRun.HashOf(made, folder["out", "policy"]));
                    }
                }
                var (outcome, logs) = WholeRun.Finish(made, folder, files, seed: after + 1000);
                Assert.Equal(whole.PolicyHash, outcome.PolicyHash);
                Assert.Equal(whole.Counts with { Seconds = 0 }, outcome.Counts with { Seconds = 0 });
                WholeRun.AssertSame(expected, logs);
            }
        }
    }

    [Fact]
    public void Killed_again_and_again_it_comes_to_the_same_bits()
    {
        using var made = new MadeRun(records: 26);
        var (whole, expected) = WholeRun.Uninterrupted(made);
        for (var seed = 0; seed < 15; seed++)
        {
            using var folder = new TempFolder();
            var files = new FaultyFiles();
            var random = new StableRandom(seed, 0x4111);
            for (var kill = 0; kill < 6; kill++)
            {
                using var process = new LearnerProcess(made, folder["out"], files, random.Below(1000)).WithIntake().WithSelectors(1 + random.Below(3));
                var until = random.Below(90);
                process.Host.RunUntil(() => process.Messages >= until || process.Outcome is not null);
                files.CutPower(names: random.Below(2) == 0);
            }
            var (outcome, logs) = WholeRun.Finish(made, folder, files, seed);
            Assert.Equal(whole.PolicyHash, outcome.PolicyHash);
            WholeRun.AssertSame(expected, logs);
        }
    }
}
