using System.Text.Json;
using MassDpo.Policy.Generation;
using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;
using static MassDpo.Policy.Tests.GoldenNumbers;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Model;

/// <summary>What transformers and PEFT gave in float32 on the CPU, held against other compute types and devices.</summary>
public sealed class GoldenPlacementTests
{
    private const string Fixtures = "fixtures/hf";

    public static TheoryData<string> Models => ["llama-tied", "llama3-rope", "mistral-window", "qwen2-bias", "qwen3-qknorm", "smollm-bf16"];

    // Relative to the largest number of each kind, of gradients to the length of each matrix's; docs/models.md states them.
    private static readonly Tolerances InFloat32 = new(1e-4, 1e-4, 1e-4, 1e-3);
    private static readonly Tolerances InBFloat16 = new(Logps: 1e-2, Features: 5e-2, Grams: 5e-2, Gradients: 1e-1);

    private sealed record Tolerances(double Logps, double Features, double Grams, double Gradients);

    [SharedDataTheory(Fixtures)]
    [MemberData(nameof(Models))]
    public void In_bfloat16_on_the_CPU_a_checkpoint_and_its_adapter_are_near_their_golden_numbers(string name) =>
        Check(name, new Placement(ScalarType.BFloat16, CPU), InBFloat16);

    [CudaSharedDataTheory(Fixtures)]
    [MemberData(nameof(Models))]
    public void In_float32_on_CUDA_a_checkpoint_and_its_adapter_have_their_golden_numbers(string name) =>
        Check(name, new Placement(ScalarType.Float32, CUDA), InFloat32);

    [CudaSharedDataTheory(Fixtures)]
    [MemberData(nameof(Models))]
    public void In_bfloat16_on_CUDA_a_checkpoint_and_its_adapter_are_near_their_golden_numbers(string name) =>
        Check(name, new Placement(ScalarType.BFloat16, CUDA), InBFloat16);

    private static void Check(string name, Placement placement, Tolerances tolerances)
    {
        var directory = SharedData.PathOf($"{Fixtures}/{name}");
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory, "golden.json")));
        var json = document.RootElement;
        var config = PolicyDirectory.LoadConfig(directory);
        using var weights = PolicyDirectory.LoadWeights(directory, config, placement);
        Assert.All(weights.Tensors.Values, tensor => Assert.Equal((placement.Type, placement.Device.type), (tensor.dtype, tensor.device_type)));
        using var model = new LlamaModel(config, weights.Device);
        var pool = new EncodedPool(Ints(json.GetProperty("prompt")), [.. json.GetProperty("candidates").EnumerateArray().Select(Ints)]);
        // At once, and place by place.
        foreach (var limits in new[] { ComputeLimits.Default, new ComputeLimits(1) { Logits = 1 } })
        {
            CheckFeatures(json, new PoolScorer(model, limits), weights, pool, tolerances);
            CheckAdapter(json, directory, model, limits, weights, pool, tolerances);
        }
        // Greedy choices between near-equal logits are chance in bfloat16, but the first is clear.
        var greedy = new TokenGenerator(model).Generate(weights, [pool.Prompt], new GenerationOptions(24, []))[0];
        var count = placement.Type == ScalarType.Float32 ? 24 : 1;
        Assert.Equal(Ints(json.GetProperty("greedy")).Take(count), greedy.Take(count));
    }

    private static void CheckFeatures(JsonElement json, PoolScorer scorer, PolicyWeights weights, EncodedPool pool, Tolerances tolerances)
    {
        var (features, d) = (json.GetProperty("features"), scorer.FeatureSize);
        var output = Rows(features.GetProperty("output"));
        var scores = scorer.Score(weights, [pool], outputFeatures: true);
        AssertRelative(Doubles(json.GetProperty("candidate_logps")), scores.Logps, tolerances.Logps);
        AssertRelative([.. output.Skip(1).SelectMany(row => row.Zip(output[0], (a, b) => a - b))],
            [.. Enumerable.Range(d, scores.Features!.Length - d).Select(i => scores.Features[i] - scores.Features[i % d])], tolerances.Features);
        var whole = scorer.Score(weights, [pool], new FeatureForm(FeatureKind.Output, true));
        // Logits of a place are the same whoever asks for them, but for the order of a sum.
        AssertRelative(Array.ConvertAll(scores.Logps, x => (double)x), whole.Logps, tolerances.Logps / 4);
        AssertRelative([.. output.SelectMany(row => row.Select(x => x / Math.Sqrt(row.Sum(y => y * y))))], whole.Features!, tolerances.Features);
        var hidden = scorer.Score(weights, [pool], new FeatureForm(FeatureKind.Hidden, false));
        AssertRelative([.. Rows(features.GetProperty("hidden_mean")).SelectMany(row => row)], hidden.Features!, tolerances.Features);
        AssertCosines(Rows(features.GetProperty("head_gram")), scorer.Score(weights, [pool], new FeatureForm(FeatureKind.Head, true)).Grams![0], tolerances.Grams);
    }

    private static void CheckAdapter(JsonElement json, string directory, LlamaModel model, ComputeLimits limits, PolicyWeights whole, EncodedPool pool, Tolerances tolerances)
    {
        using var weights = PeftDirectory.Load(Path.Combine(directory, "adapter"), whole);
        Assert.All(weights.Tensors.Values, tensor => Assert.Equal((ScalarType.Float32, whole.Device.type), (tensor.dtype, tensor.device_type)));
        var lora = json.GetProperty("lora");
        var scorer = new PoolScorer(model, limits);
        AssertRelative(Doubles(lora.GetProperty("candidate_logps")), scorer.ScoreAlone(weights, pool), tolerances.Logps);
        AssertCosines(Rows(json.GetProperty("features").GetProperty("lora_gram")), scorer.Score(weights, [pool], new FeatureForm(FeatureKind.Lora, true)).Grams![0], tolerances.Grams);

        using var trained = weights.Copy(trainable: true);
        using var differentiable = new DifferentiableScorer(model, trained, limits with { Checkpointing = limits.Logits == 1 });
        using var scope = NewDisposeScope();
        // What the golden loss, log Σ e^{z_j − z_0}, wants of each log-probability: a small change of those would change it by much more, so that nothing were told of the way back.
        var z = (Golden(lora.GetProperty("candidate_logps")) - Golden(lora.GetProperty("reference_logps"))) * lora.GetProperty("beta").GetDouble();
        var pull_C = z.softmax(0) * lora.GetProperty("beta").GetDouble();
        pull_C.narrow(0, 0, 1).sub_(lora.GetProperty("beta").GetDouble());
        differentiable.Backward((differentiable.Logps([pool]) * pull_C).sum());
        var gradients = SafetensorsFile.Read(Path.Combine(directory, "lora_grads.safetensors"));
        Assert.Equal(gradients.Keys.Order(StringComparer.Ordinal), trained.Tensors.Keys);
        foreach (var (name, expected) in gradients)
        {
            using (expected)
                AssertNear(expected, trained.Tensors[name].grad!.cpu(), tolerances.Gradients, name);
        }
    }

    // By the length of the difference: what an update sees.
    private static void AssertNear(Tensor expected, Tensor found, double tolerance, string name)
    {
        var off = (found - expected).norm().item<float>() / expected.norm().item<float>();
        Assert.True(off <= tolerance, $"{name}: off by {off:P1} of its length");
    }

    private static Tensor Golden(JsonElement numbers) => tensor(Array.ConvertAll(Doubles(numbers), x => (float)x));

    private static void AssertCosines(double[][] golden, double[] found, double tolerance) =>
        AssertRelative([.. golden.SelectMany((row, i) => row.Select((x, j) => x / Math.Sqrt(golden[i][i] * golden[j][j])))], Array.ConvertAll(found, x => (float)x), tolerance);
}
