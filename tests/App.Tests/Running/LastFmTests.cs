using MassDpo.TestKit;

namespace MassDpo.App.Tests.Running;

/// <summary>Real listeners: see study.md of the reference data.</summary>
public sealed class LastFmTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedDataFact("data/rec/lastfm")]
    public async Task From_a_cold_policy_a_run_learns_what_listeners_take_next()
    {
        var (recipe, cold, output) = (Path.Combine(Repository.Root, "hocon", "lastfm.conf"), _folder["cold"], _folder["out"]);
        await Called.Well("sft", "--data", Data("val.jsonl.gz"), "--policy", cold, "--items", Data("items.csv"), "--config", recipe, "--epochs", "0");
        // From nothing the recipe's higher rate.
        await Called.Well("run", "--data", Data("val.jsonl.gz"), "--policy", cold, "--output", output, "--config", recipe, "--learning-rate", "4e-3");
        var (before, after) = (await HitRate(cold), await HitRate(Path.Combine(output, "policy")));
        // Chance is 1 of 20.
        Assert.InRange(before, 0.02, 0.09);
        Assert.True(after > 0.15, $"HR@1 went from {before:P1} to {after:P1}");
        Assert.Empty(DeadLetters.Read(output));
    }

    private static string Data(string name) => SharedData.PathOf($"data/rec/lastfm/{name}");

    private static async Task<double> HitRate(string policy) => (double)(await Called.Well("eval", "--policy", policy, "--data", Data("test.jsonl.gz"), "--json")).Json["hr@1"]!;
}
