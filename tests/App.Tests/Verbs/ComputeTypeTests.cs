using System.Text.Json.Nodes;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Tests.Running;
using MassDpo.Learner;
using MassDpo.PolicyKit;
using MassDpo.Shared.Settings;
using MassDpo.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace MassDpo.App.Tests.Verbs;

/// <summary>Runs in another compute type or on another device, end to end through the command line.</summary>
public sealed class ComputeTypeTests : IDisposable
{
    private const string Adapter = "adapter_model.safetensors";

    private readonly SimulatedStream _stream = new();
    private readonly TempFolder _folder = new();

    // An adapter, and all weights.
    [Theory]
    [InlineData(3)]
    [InlineData(0)]
    public async Task A_run_in_bfloat16_learns_as_in_float32_and_is_replayed_bit_for_bit(int rank)
    {
        await Called.Well(Words(_folder["whole"], "bfloat16", "--eval", _stream.Data, "--set", "selection.selectors=2", "--set", $"lora.rank={rank}"));
        Assert.Contains("bit for bit the one in", (await Called.Well("replay", _folder["whole"], "--output", _folder["again"])).Out);

        var report = JsonNode.Parse(File.ReadAllText(_folder["whole/report.json"]))!;
        Assert.Equal(("cpu", "bfloat16"), ((string?)report["device"], (string?)report["settings"]!["runtime.compute-type"]));
        Assert.True((double)report["after"]!["pl_loss"]! < (double)report["before"]!["pl_loss"]!);
        // Learnt as in float32, but not to the bit.
        await Called.Well(Words(_folder["float32"], "float32", "--eval", _stream.Data, "--set", $"lora.rank={rank}"));
        Assert.NotEqual(Trained(_folder["float32"]), Trained(_folder["whole"]));
        var after = JsonNode.Parse(File.ReadAllText(_folder["float32/report.json"]))!["after"]!;
        Assert.Equal((double)after["pl_loss"]!, (double)report["after"]!["pl_loss"]!, 0.05);
    }

    [Theory]
    [InlineData(3, "")]
    [InlineData(0, "")]
    [InlineData(0, "reference.refresh = 2")]
    public async Task A_run_in_bfloat16_that_is_stopped_and_goes_on_is_the_same_bits(int rank, string more)
    {
        var options = SimulatedStream.Options("runtime.compute-type = bfloat16", $"lora.rank = {rank}", "selection.selectors = 2", more == "" ? "selection.method = mass" : more);
        var whole = await Run(_folder["whole"], stopAt: long.MaxValue);
        var first = await Run(_folder["parts"], stopAt: 4);
        var rest = await Run(_folder["parts"], stopAt: long.MaxValue);
        Assert.Equal((false, true, false), (whole.Stopped, first.Stopped, rest.Stopped));
        Assert.Contains(rest.Notes, note => note.Contains("went on from checkpoint"));
        Assert.NotEqual(whole.PolicyHash, first.PolicyHash);
        Assert.Equal((whole.Version, whole.PolicyHash), (rest.Version, rest.PolicyHash));
        Assert.Equal(Trained(_folder["whole"]), Trained(_folder["parts"]));

        async Task<LearnerOutcome> Run(string output, long stopAt)
        {
            using var stop = new CancellationTokenSource();
            var job = new RunJob(new RunRequest(_stream.PolicyDirectory, output, null, new EvaluationOptions(1, 8, 1 << 20), false, options), NullLogger.Instance);
            return (await job.RunAsync(() => _stream.Open(options), (update, _) =>
            {
                if (update.Version >= stopAt)
                    stop.Cancel();
            }, _ => { }, stop.Token)).Outcome;
        }
    }

    [Fact]
    public async Task A_run_goes_on_in_the_compute_type_and_on_the_kind_of_device_that_it_began_with()
    {
        await Called.Well(Words(_folder["output"], "bfloat16", "--max-records", "16"));
        await Called.Refused(1, Words(_folder["output"], "float32"), "runtime.compute-type was bfloat16 and is float32");
        var other = SimulatedStream.Options("runtime.device=\"cuda:1\"");
        Assert.Equal("cuda", other.Identity("", "", "").Values["runtime.device"]);
        Assert.Equal("cpu", SimulatedStream.Options().Identity("", "", "").Values["runtime.device"]);
    }

    [Fact]
    public async Task Reference_log_probs_on_disk_are_found_by_runs_of_the_same_compute_type_alone()
    {
        foreach (var (output, type, found) in new[] { ("a", "bfloat16", false), ("b", "float32", false), ("c", "bfloat16", true) })
        {
            await Called.Well(Words(_folder[output], type, "--set", $"selection.reference-cache-directory={_folder["cache"]}"));
            var use = JsonNode.Parse(File.ReadAllText(_folder[$"{output}/report.json"]))!["reference_cache"]!;
            Assert.Equal(found, (long)use["from_disk"]! > 0);
            Assert.Equal(found, (long)use["computed"]! == 0);
        }
    }

    [Fact]
    public async Task Scores_measures_and_texts_in_bfloat16_are_near_those_in_float32()
    {
        var (scores, exact) = (await Scores("bfloat16"), await Scores("float32"));
        Assert.Equal(exact.Length, scores.Length);
        Assert.NotEqual(exact, scores);
        Assert.All(exact.Zip(scores), pair => Assert.Equal(pair.First, pair.Second, 0.02 * Math.Max(1, Math.Abs(pair.First))));
        await Called.Well("eval", "--policy", _stream.PolicyDirectory, "--data", _stream.Data, "--compute-type", "bfloat16", "--json");
        await Called.Well("generate", "--policy", _stream.PolicyDirectory, "--ids", "0,5", "--compute-type", "bfloat16", "--max-tokens", "3");

        async Task<double[]> Scores(string type)
        {
            var options = EvaluationOptions.From(EffectiveSettings.Load(null, [], [], [("runtime.compute-type", type, "--compute-type")]));
            using var policy = LoadedPolicy.Load(_stream.PolicyDirectory, options.Policy);
            var data = await EvaluationData.LoadAsync(_stream.Data, policy.Encoder, options, CancellationToken.None);
            return [.. Evaluator.Score(policy.Scorer, policy.Weights, data.Pools, options.Batch).SelectMany(logps => logps).Select(logp => (double)logp)];
        }
    }

    [Fact]
    public async Task What_cannot_be_is_refused_with_the_remedy()
    {
        await Called.Refused(2, Words(_folder["none"], "float16"), "--compute-type: runtime.compute-type", "float32, bfloat16");
        foreach (var device in new[] { "gpu", "cuda:", "cuda:-1", "cuda:x" })
            await Called.Refused(2, Words(_folder["none"], "float32", "--device", device), "--device: runtime.device", $"'{device}'", "cuda:N");
        // More than any machine has.
        await Called.Refused(1, Words(_folder["none"], "float32", "--device", "cuda:255"), "runtime.device = cuda:255", "CUDA device");
    }

    [CudaFact]
    public async Task On_CUDA_a_run_in_bfloat16_learns_as_on_the_CPU_and_is_replayed_bit_for_bit()
    {
        await Called.Well(Words(_folder["cpu"], "bfloat16", "--eval", _stream.Data));
        await Called.Well(Words(_folder["cuda"], "bfloat16", "--eval", _stream.Data, "--device", "cuda", "--set", "selection.selectors=2"));
        Assert.Contains("bit for bit the one in", (await Called.Well("replay", _folder["cuda"], "--output", _folder["again"])).Out);
        Assert.Equal(Loss("cpu"), Loss("cuda"), 0.05);
        await Called.Refused(1, Words(_folder["cuda"], "bfloat16"), "runtime.device was cuda and is cpu");

        double Loss(string output) => (double)JsonNode.Parse(File.ReadAllText(_folder[$"{output}/report.json"]))!["after"]!["pl_loss"]!;
    }

    [CudaFact]
    public async Task On_CUDA_all_weights_are_trained_in_float32_from_scratch_and_on()
    {
        string[] onDevice = ["--set", "runtime.device=cuda"];
        await Called.Well(["sft", "--data", _stream.Data, "--policy", _folder["new"], "--layers", "1", "--hidden", "8", "--heads", "2", "--epochs", "1", .. onDevice]);
        await Called.Well(["run", "--data", _stream.Data, "--policy", _folder["new"], "--output", _folder["output"], "--set", "learner.batch=8", .. onDevice]);
        Assert.Contains("bit for bit the one in", (await Called.Well("replay", _folder["output"], "--output", _folder["again"])).Out);
        Assert.True(cuda.is_available());
    }

    public void Dispose()
    {
        _stream.Dispose();
        _folder.Dispose();
    }

    private string[] Words(string output, string type, params string[] more) =>
    [
        "run", "--data", _stream.Data, "--policy", _stream.PolicyDirectory, "--output", output, "--compute-type", type, "--set", "lora.rank=3", "--set", "lora.alpha=12",
        "--set", "learner.batch=8", "--set", "learner.learning-rate=2e-2", "--set", "learner.beta=0.5", "--passes", "2", "--set", "checkpoint.updates=2", .. more,
    ];

    private static byte[] Trained(string output) =>
        File.ReadAllBytes(new[] { Adapter, "model.safetensors" }.Select(name => Path.Combine(output, "policy", name)).First(File.Exists));
}
