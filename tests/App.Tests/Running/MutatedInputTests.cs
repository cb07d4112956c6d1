using MassDpo.PipelineKit.Mutants;

namespace MassDpo.App.Tests.Running;

/// <summary>Whatever is done to what comes from outside, it is read or refused with a reason. <c>bench/Endurance.Bench</c> does it a million times.</summary>
public sealed class MutatedInputTests
{
    public static TheoryData<int> Inputs => [.. Enumerable.Range(0, MutatedInputs.All.Count)];

    [Theory]
    [MemberData(nameof(Inputs))]
    public void Each_mutant_is_read_or_refused(int which)
    {
        using var input = MutatedInputs.All[which]();
        var count = input.Name == "records" ? 10_000 : 1_000;
        var verdicts = new List<string>();
        input.Read(0, count, verdicts.Add);
        // Some of each: the mutations reach what they should.
        Assert.True(verdicts.Count >= count);
        if (input.Name == "snapshots")
            Assert.Equal(["another hash", "refused", "valid"], verdicts.Distinct().Order(StringComparer.Ordinal));
        else
            Assert.InRange(verdicts.Count(verdict => verdict == "valid"), count / 200, count * 9 / 10);
        if (input.Name == "records")
            Assert.Equal(["empty-pool", "encoding", "field", "json", "too-large", "unknown-item", "unsupported", "valid"], verdicts.Distinct().Order(StringComparer.Ordinal));
    }
}
