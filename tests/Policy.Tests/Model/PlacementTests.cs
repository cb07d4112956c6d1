using MassDpo.Policy.Generation;
using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Model;

/// <summary>
/// Whether every tensor says where it is to lie, so that it lies where the weights do. A tensor that does not say so is made on the default device, and here that is
/// libtorch's meta device, which holds no numbers: the first operation on such a tensor and one of the weights fails, and so does whatever asks for its numbers. On
/// a CPU alone no other device could tell.
/// </summary>
[Collection(ProcessState.Name)]
public sealed class PlacementTests : IDisposable
{
    private static readonly LoraOptions Lora = new() { Rank = 3, Alpha = 6, Dropout = 0.2, Targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] };

    private readonly Device _before = get_default_device();

    public static TheoryData<PolicyFamily, int, ScalarType> Cases => new()
    {
        { PolicyFamily.Llama, 0, ScalarType.Float32 },
        { PolicyFamily.Llama, 0, ScalarType.BFloat16 },
        { PolicyFamily.Mistral, 4, ScalarType.BFloat16 },
        { PolicyFamily.Qwen2, 4, ScalarType.Float32 },
        { PolicyFamily.Qwen3, 4, ScalarType.BFloat16 },
    };

    private static IEnumerable<FeatureForm> Forms => from kind in Enum.GetValues<FeatureKind>()
                                                     from sketch in kind.AreOfMatrices() ? new[] { 0, 40 } : [0]
                                                     from unitLength in new[] { false, true }
                                                     select new FeatureForm(kind, unitLength) { Sketch = sketch };

    private static IEnumerable<ComputeLimits> Limits =>
        [ComputeLimits.Default, ComputeLimits.Default with { Checkpointing = true }, new ComputeLimits(24) { Logits = 60 }, new ComputeLimits(1, Checkpointing: true) { Logits = 1 }];

    [Theory]
    [MemberData(nameof(Cases))]
    public void No_tensor_of_scores_and_features_lies_where_nobody_said(PolicyFamily family, int window, ScalarType type)
    {
        AssertSameElsewhere(made =>
        {
            var numbers = new List<double>();
            foreach (var limits in Limits)
                foreach (var pools in new[] { made.Pools(1), made.Pools(5) })
                    foreach (var form in Forms)
                    {
                        var scores = new PoolScorer(made.Model, limits, tensorOperationsOnly: true).Score(made.Adapted, pools, form);
                        numbers.AddRange([.. scores.Logps, .. scores.Features ?? [], .. scores.Grams?.SelectMany(gram => gram) ?? []]);
                    }
            return numbers;
        }, family, window, new Placement(type, CPU));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void No_tensor_of_a_way_back_lies_where_nobody_said(PolicyFamily family, int window, ScalarType type)
    {
        AssertSameElsewhere(made =>
        {
            var numbers = new List<double>();
            foreach (var limits in Limits)
                foreach (var pools in new[] { made.Pools(1), made.Pools(5) })
                {
                    using var trained = made.Adapted.Copy(trainable: true);
                    using var scorer = new DifferentiableScorer(made.Model, trained, limits, tensorOperationsOnly: true);
                    foreach (var group in scorer.Plan(pools))
                    {
                        using var scope = NewDisposeScope();
                        scorer.Backward(scorer.Logps([.. group.Select(n => pools[n])], [.. group.Select(n => (long)n)]).square().sum());
                    }
                    numbers.AddRange(trained.Tensors.Values.SelectMany(tensor => tensor.grad!.data<float>().ToArray()).Select(x => (double)x));
                }
            return numbers;
        }, family, window, new Placement(type, CPU));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void No_tensor_of_a_policy_or_of_what_it_generates_lies_where_nobody_said(PolicyFamily family, int window, ScalarType type)
    {
        using var folder = new TempFolder();
        var config = Config(family, window);
        MadePolicy.Write(folder["policy"], config);
        AssertSameElsewhere(unused =>
        {
            using var loaded = PolicyDirectory.LoadWeights(folder["policy"], config, new Placement(type, CPU));
            using var fresh = loaded.WithFreshAdapter(Lora, seed: 3);
            using var started = PolicyWeights.Initialise(config, seed: 3, embeddingDeviation: 0.1);
            using var model = new LlamaModel(config, loaded.Device);
            using var sequences = PackedBatch.OfSequences([([1, 2, 3, 4], [0, 2]), ([4, 3, 2], [1])], loaded.Device);
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            var generated = new TokenGenerator(model).Generate(loaded, [[1, 2, 3], [4]], new GenerationOptions(12, [], new SamplingOptions(Seed: 5)));
            return
            [
                .. generated.SelectMany(ids => ids).Select(id => (double)id), .. model.Logps(loaded, sequences).data<float>().ToArray(), loaded.ComputeHash().GetHashCode(StringComparison.Ordinal),
                fresh.ComputeHash().GetHashCode(StringComparison.Ordinal), started.ComputeHash().GetHashCode(StringComparison.Ordinal),
            ];
        }, family, window, new Placement(type, CPU));
    }

    [Theory]
    [InlineData(PolicyFamily.Llama, 0)]
    [InlineData(PolicyFamily.Qwen3, 4)]
    public void Features_of_every_form_in_bfloat16_are_near_those_in_float32(PolicyFamily family, int window)
    {
        using var exact = new Made(Config(family, window), Placement.Default);
        using var half = new Made(Config(family, window), new Placement(ScalarType.BFloat16, CPU));
        foreach (var form in Forms)
        {
            var expected = new PoolScorer(exact.Model).Score(exact.Adapted, exact.Pools(5), form);
            var found = new PoolScorer(half.Model).Score(half.Adapted, half.Pools(5), form);
            Assert.False(expected.Logps.SequenceEqual(found.Logps));
            GoldenNumbers.AssertRelative(Array.ConvertAll(expected.Logps, x => (double)x), found.Logps, 0.02);
            // What all candidates share is left out, or not: differences count.
            var (a, b) = (Differences(expected, form), Differences(found, form));
            GoldenNumbers.AssertRelative([.. a], [.. b.Select(x => (float)x)], 0.1);
        }

        static List<double> Differences(PoolScores scores, FeatureForm form)
        {
            var differences = new List<double>();
            for (var n = 0; n < scores.Start.Length - 1; n++)
            {
                var candidates = scores.Start[n + 1] - scores.Start[n];
                for (var i = 1; i < candidates; i++)
                {
                    if (form.IsGram)
                        for (var j = 1; j < candidates; j++)
                            differences.Add(Gram(n, i, j, candidates) - Gram(n, i, 0, candidates) - Gram(n, 0, j, candidates) + Gram(n, 0, 0, candidates));
                    else
                        for (var k = 0; k < scores.FeatureSize; k++)
                            differences.Add((double)scores.FeaturesOf(n)[i * scores.FeatureSize + k] - scores.FeaturesOf(n)[k]);
                }
            }
            return differences;

            double Gram(int n, int i, int j, int candidates) => scores.Grams![n][i * candidates + j];
        }
    }

    [Fact]
    public void A_tensor_that_does_not_say_where_it_is_to_lie_is_found_so()
    {
        using var made = new Made(Config(PolicyFamily.Llama, 0), Placement.Default);
        set_default_device(META);
        using var scope = NewDisposeScope();
        Assert.Equal(DeviceType.META, arange(3).device_type);
        Assert.ThrowsAny<Exception>(() => made.Weights.Embedding.index_select(0, tensor([1L, 2L])).data<float>().ToArray());
        Assert.ThrowsAny<Exception>(() => (made.Weights.FinalNorm + ones(made.Weights.FinalNorm.shape)).data<float>().ToArray());
    }

    [Fact]
    public void Weights_in_bfloat16_have_a_hash_of_their_own_and_what_is_trained_of_them_is_float32()
    {
        using var whole = MadePolicy.Weights(Config(PolicyFamily.Llama, 0));
        using var half = whole.On(new Placement(ScalarType.BFloat16, CPU));
        Assert.Equal(whole.Bytes / 2, half.Bytes);
        Assert.NotEqual(whole.ComputeHash(), half.ComputeHash());
        using var onWhole = whole.WithFreshAdapter(Lora, seed: 1);
        using var onHalf = half.WithFreshAdapter(Lora, seed: 1);
        Assert.NotEqual(onWhole.ComputeHash(), onHalf.ComputeHash());
        foreach (var start in new[] { half, onHalf })
        {
            using var trained = start.Copy(trainable: true);
            Assert.All(trained.Tensors.Values, tensor => Assert.True(tensor.requires_grad && tensor.dtype == ScalarType.Float32));
            Assert.Equal(ScalarType.BFloat16, trained.Placement.Type);
            // As they are published and saved, and taken from there.
            using var published = trained.Copy();
            using var taken = start.Take(published.Tensors.ToDictionary(tensor => tensor.Key, tensor => tensor.Value.clone()), "a snapshot");
            using var resumed = start.With(published.Tensors);
            Assert.All(new[] { published, taken, resumed }, weights => Assert.Equal((ScalarType.BFloat16, published.ComputeHash()), (weights.Placement.Type, weights.ComputeHash())));
        }
    }

    [Fact]
    public void An_adapter_merged_into_a_base_in_bfloat16_adds_what_bfloat16_could_not_tell()
    {
        using var _ = NewDisposeScope();
        using var whole = MadePolicy.Weights(Config(PolicyFamily.Llama, 0));
        using var half = whole.On(new Placement(ScalarType.BFloat16, CPU));
        using var fresh = half.WithFreshAdapter(Lora, seed: 1);
        using var adapted = fresh.Copy();
        using (no_grad())
            foreach (var raised in adapted.Tensors.Where(tensor => tensor.Key.Contains("lora_B", StringComparison.Ordinal)))
                raised.Value.fill_(1e-6);
        using var merged = adapted.Merged();
        Assert.Equal(ScalarType.BFloat16, merged.Placement.Type);
        Assert.All(merged.Tensors.Values, tensor => Assert.Equal(ScalarType.Float32, tensor.dtype));
        var changed = merged.Tensors.Count(tensor => !tensor.Value.data<float>().ToArray().SequenceEqual(half.Tensors[tensor.Key].to(ScalarType.Float32).data<float>().ToArray()));
        Assert.Equal(adapted.Tensors.Count / 2, changed);
        // What computes sees it rounded.
        Assert.True(merged.Embedding.eq(merged.Tensors["model.embed_tokens.weight"].to(ScalarType.BFloat16)).all().item<bool>());
        Assert.Equal(ScalarType.BFloat16, merged.Layers[0].Query.Weight.dtype);
        Assert.True(merged.Layers[0].Query.Weight.eq(merged.Tensors["model.layers.0.self_attn.q_proj.weight"].to(ScalarType.BFloat16)).all().item<bool>());
    }

    [Fact]
    public void Weights_that_are_trained_in_bfloat16_collect_gradients_and_small_updates_in_float32()
    {
        using var _ = NewDisposeScope();
        using var whole = MadePolicy.Weights(Config(PolicyFamily.Llama, 0));
        using var half = whole.On(new Placement(ScalarType.BFloat16, CPU));
        using var trained = half.Copy(trainable: true);
        using var model = new LlamaModel(trained.Config);
        using var scorer = new DifferentiableScorer(model, trained);
        var random = new StableRandom(3);
        List<EncodedPool> pools = [.. Enumerable.Range(0, 3).Select(_ => MadePolicy.Pool(ref random, trained.Config.VocabularySize, candidates: 3, longestPrompt: 8, longestResponse: 4))];
        var before = scorer.Logps(pools).data<float>().ToArray();
        scorer.Backward(scorer.Logps(pools).sum());
        var once = Gradients();
        // As computed, but for the first time in float32: twice the same adds up to twice as much exactly.
        Assert.All(once, gradient => Assert.Equal(gradient.Value.to(ScalarType.BFloat16).to(ScalarType.Float32).data<float>().ToArray(), gradient.Value.data<float>().ToArray()));
        scorer.Backward(scorer.Logps(pools).sum());
        Assert.All(Gradients(), gradient => Assert.Equal((once[gradient.Key] * 2).data<float>().ToArray(), gradient.Value.data<float>().ToArray()));
        // Less than bfloat16 can tell from one, twenty times.
        for (var step = 0; step < 20; step++)
        {
            using (no_grad())
                trained.Tensors["model.norm.weight"].mul_(1.001);
            scorer.WeightsChanged();
        }
        var after = scorer.Logps(pools).data<float>().ToArray();
        Assert.NotEqual(before, after);
        Assert.All(trained.FinalNorm.to(ScalarType.Float32).data<float>().ToArray(), weight => Assert.Equal(1.02f, weight, 0.005f));

        Dictionary<string, Tensor> Gradients() => trained.Tensors.ToDictionary(tensor => tensor.Key, tensor => tensor.Value.grad!.clone());
    }

    public void Dispose() => set_default_device(_before);

    private static PolicyConfig Config(PolicyFamily family, int window) => MadePolicy.ConfigOf(family, heads: 4, keyValueHeads: 2, tied: family != PolicyFamily.Qwen2, window);

    private static void AssertSameElsewhere(Func<Made, List<double>> compute, PolicyFamily family, int window, Placement placement)
    {
        using var made = new Made(Config(family, window), placement);
        var expected = compute(made);
        set_default_device(META);
        Assert.Equal(expected, compute(made));
    }

    // A policy and one with an adapter on it, as they are placed.
    private sealed class Made : IDisposable
    {
        private readonly PolicyConfig _config;

        public Made(PolicyConfig config, Placement placement)
        {
            _config = config;
            using var whole = MadePolicy.Weights(config);
            using var adapted = MadePolicy.WithAdapter(whole, Lora);
            (Weights, Adapted, Model) = (whole.On(placement), adapted.On(placement), new LlamaModel(config, placement.Device));
        }

        public PolicyWeights Weights { get; }

        public PolicyWeights Adapted { get; }

        public LlamaModel Model { get; }

        public List<EncodedPool> Pools(int longestResponse)
        {
            var random = new StableRandom(longestResponse, 0x12);
            return [.. Enumerable.Range(0, 3).Select(i => MadePolicy.Pool(ref random, _config.VocabularySize, candidates: 2 + i, longestPrompt: 9, longestResponse))];
        }

        public void Dispose()
        {
            Weights.Dispose();
            Adapted.Dispose();
            Model.Dispose();
        }
    }
}

/// <summary>Tests that change what all tests share run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessState
{
    public const string Name = "process state";
}
