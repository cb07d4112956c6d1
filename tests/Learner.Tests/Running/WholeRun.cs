using MassDpo.Policy;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Running;

/// <summary>A run from where it stands to its end, with an intake and two selectors that do their work.</summary>
internal static class WholeRun
{
    public static (LearnerOutcome Outcome, RunLogs Logs) Uninterrupted(MadeRun made)
    {
        using var folder = new TempFolder();
        return Finish(made, folder, new FaultyFiles(), seed: 1);
    }

    public static (LearnerOutcome Outcome, RunLogs Logs) Finish(MadeRun made, TempFolder folder, FaultyFiles files, int seed)
    {
        using var process = new LearnerProcess(made, folder["out"], files, seed).WithIntake().WithSelectors(2);
        var outcome = process.RunToEnd();
        Assert.Equal(outcome.PolicyHash, HashOf(made, folder["out", "policy"]));
        var logs = new RunLogs(folder["out"]);
        logs.AssertWhole(made);
        return (outcome, logs);
    }

    public static void AssertSame(RunLogs expected, RunLogs actual)
    {
        Assert.Equal(expected.UpdateLines, actual.UpdateLines);
        Assert.Equal(expected.Hashes, actual.Hashes);
    }

    public static string HashOf(MadeRun made, string policy)
    {
        using var weights = PolicyDirectory.LoadWeights(policy, made.Config);
        return weights.ComputeHash();
    }
}
