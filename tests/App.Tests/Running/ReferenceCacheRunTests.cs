using System.Text.Json.Nodes;
using MassDpo.App.Running;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.App.Tests.Running;

/// <summary>Reference log-probabilities from disk change nothing but the time that a run takes.</summary>
public sealed class ReferenceCacheRunTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 10)];

    [Fact]
    public void A_run_gives_the_same_bits_with_a_cold_a_warm_and_a_half_lost_cache()
    {
        var directory = stream.NewOutput();
        var options = Options(directory);
        // Without room in memory the second pass is served from disk too.
        Assert.Equal((45L, 45L), Run());
        Assert.Equal((90L, 0L), Run());
        var segment = Directory.GetFiles(directory, "*.references", SearchOption.AllDirectories).Single();
        var bytes = File.ReadAllBytes(segment);
        for (var i = bytes.Length / 4; i < bytes.Length * 3 / 4; i++)
            bytes[i] ^= 0x55;
        File.WriteAllBytes(segment, bytes);
        var (found, computed) = Run();
        Assert.InRange(computed, 15, 30);
        Assert.Equal(90, found + computed);

        (long FromDisk, long Computed) Run()
        {
            using var run = new SimulatedRun(stream, options, seed: 1, stream.NewOutput());
            run.End();
            RunTrace.Of(run.Output).AssertSame(Undisturbed.Of(stream));
            return (run.References.FromDisk, run.References.Computed);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Killed_at_any_step_a_run_goes_on_with_what_was_kept_and_comes_out_the_same(int seed)
    {
        var options = Options(stream.NewOutput(), $"selection.selectors = {1 + seed % 3}");
        var left = stream.NewOutput();
        // Still there, and holding its part of the cache, while the next one runs: it is not known which of them is slow to die.
        using var first = new SimulatedRun(stream, options, seed, stream.NewOutput());
        first.Step(new StableRandom(seed, 0xCAC8E).Below(600));
        SimulatedRun.Killed(first.Output, left);
        var computed = first.References.Computed;
        using var again = new SimulatedRun(stream, options, seed + 1000, left);
        again.End();
        RunTrace.Of(left).AssertSame(Undisturbed.Of(stream));
        Assert.Equal(45 - computed, again.References.Computed);
    }

    [Fact]
    public void What_moves_with_the_policy_is_found_again_by_a_run_that_goes_the_same_way()
    {
        var directory = stream.NewOutput();
        string[] following = ["reference.refresh = 3", "reference.mix = 0.5"];
        var plain = RunTrace.Whole(stream, SimulatedStream.Options(following), seed: 1);
        for (var round = 0; round < 2; round++)
        {
            using var run = new SimulatedRun(stream, Options(directory, following), seed: 1, stream.NewOutput());
            run.End();
            RunTrace.Of(run.Output).AssertSame(plain);
            Assert.Equal(90, run.References.FromDisk + run.References.Computed);
            // A record may come twice under one reference.
            Assert.InRange(run.References.Computed, round == 0 ? 60 : 0, round == 0 ? 90 : 0);
        }
    }

    [Fact]
    public async Task A_process_finds_what_one_before_it_has_computed_and_the_report_tells_it()
    {
        var directory = stream.NewOutput();
        var (first, second) = (await Run(), await Run());
        Assert.Equal((0, 45, 0), Told(first));
        Assert.Equal((45, 0, 0), Told(second));
        Assert.Equal(Size(), (long)first["reference_cache"]!["disk_bytes"]!);
        Assert.Equal((string?)first["policy_hash"], (string?)second["policy_hash"]);

        async Task<JsonNode> Run()
        {
            var output = stream.NewOutput();
            var called = await ProgramProcess.Run(ProgramProcess.MassDpo, ["run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--batch", "8",
                "--set", $"selection.reference-cache-directory=\"{directory}\"", "--set", "runtime.progress=1h"]);
            Assert.Equal((0, ""), (called.ExitCode, called.Error));
            return JsonNode.Parse(File.ReadAllText(Path.Combine(output, "report.json")))!;
        }

        long Size() => Directory.GetFiles(directory, "*.references", SearchOption.AllDirectories).Sum(path => new FileInfo(path).Length);

        static (int FromDisk, int Computed, int Damaged) Told(JsonNode report) =>
            ((int)report["reference_cache"]!["from_disk"]!, (int)report["reference_cache"]!["computed"]!, (int)report["reference_cache"]!["damaged"]!);
    }

    [Fact]
    public async Task A_directory_that_cannot_be_used_ends_a_run_before_it_begins()
    {
        var output = stream.NewOutput();
        await Called.Refused(1, ["run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--set", $"selection.reference-cache-directory=\"{stream.Data}\""],
            stream.Data, "selection.reference-cache-directory");
        Assert.False(Directory.Exists(Path.Combine(output, "policy")));
    }

    [Fact]
    public void The_fingerprint_is_that_of_the_policys_form_and_of_the_program()
    {
        using var same = LoadedPolicy.Load(stream.PolicyDirectory);
        Assert.Equal(stream.Policy.ScoringFingerprint, same.ScoringFingerprint);
        // The same weights, taken for something else.
        var other = stream.NewOutput();
        Directory.CreateDirectory(other);
        foreach (var file in Directory.GetFiles(stream.PolicyDirectory))
            File.Copy(file, Path.Combine(other, Path.GetFileName(file)));
        var config = Path.Combine(other, "config.json");
        var changed = JsonNode.Parse(File.ReadAllText(config))!;
        changed["rms_norm_eps"] = 1e-2;
        File.WriteAllText(config, changed.ToJsonString());
        using var turned = LoadedPolicy.Load(other);
        Assert.Equal(stream.Policy.Found.Hash, turned.Found.Hash);
        Assert.NotEqual(stream.Policy.ScoringFingerprint, turned.ScoringFingerprint);
        var pool = new EncodedPool([3, 4, 5], [[6, 7], [8]]);
        Assert.NotEqual(stream.Policy.Scorer.ScoreAlone(stream.Policy.Weights, pool), turned.Scorer.ScoreAlone(turned.Weights, pool));
        var tensors = new PoolScorer(same.Model, tensorOperationsOnly: true);
        Assert.NotEqual(ScoringFingerprint.Of(same.Scorer, same.Weights, "config"), ScoringFingerprint.Of(tensors, same.Weights, "config"));
    }

    private static RunOptions Options(string directory, params string[] more) =>
        SimulatedStream.Options([$"selection.reference-cache-directory = \"{directory}\"", "selection.reference-cache = 0", .. more]);
}
