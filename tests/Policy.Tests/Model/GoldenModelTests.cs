using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;
using static MassDpo.Policy.Tests.GoldenNumbers;

namespace MassDpo.Policy.Tests.Model;

/// <summary>Against numbers that other implementations gave for real and random checkpoints.</summary>
public sealed class GoldenModelTests
{
    [SharedDataTheory("fixtures/hf")]
    [InlineData("llama-tied", "config.json")]
    [InlineData("llama-tied", "config.v4.json")]
    [InlineData("llama3-rope", "config.json")]
    [InlineData("llama3-rope", "config.v4.json")]
    [InlineData("mistral-window", "config.json")]
    [InlineData("mistral-window", "config.v4.json")]
    [InlineData("qwen2-bias", "config.json")]
    [InlineData("qwen2-bias", "config.v4.json")]
    [InlineData("qwen3-qknorm", "config.json")]
    [InlineData("qwen3-qknorm", "config.v4.json")]
    [InlineData("smollm-bf16", "config.json")]
    [InlineData("smollm-bf16", "config.v4.json")]
    public void A_checkpoint_gives_the_logits_and_log_probs_of_transformers(string name, string configFile)
    {
        var directory = SharedData.PathOf("fixtures/hf/" + name);
        var config = PolicyConfig.Load(Path.Combine(directory, configFile));
        using var weights = PolicyDirectory.LoadWeights(directory, config);
        using var model = new LlamaModel(config);
        using var golden = JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, "golden.json")));
        var json = golden.RootElement;
        var logits = FullForward.Logits(model, weights, Ints(json.GetProperty("ids")));
        AssertRelative(Doubles(json.GetProperty("logits_last_token")), logits[^1], 1e-4);
        AssertRelative(Doubles(json.GetProperty("logits_sum_per_token")), [.. logits.Select(row => (float)row.Sum(x => (double)x))], 1e-4);
        var pool = new EncodedPool(Ints(json.GetProperty("prompt")), [.. json.GetProperty("candidates").EnumerateArray().Select(Ints)]);
        var features = json.GetProperty("features");
        var output = Rows(features.GetProperty("output"));
        var d = config.HiddenSize;
        foreach (var scorer in new PoolScorer[] { new(model), new(model, tensorOperationsOnly: true) })
        {
            var scores = scorer.Score(weights, [pool], outputFeatures: true);
            AssertRelative(Doubles(json.GetProperty("candidate_logps")), scores.Logps, 1e-4);
            for (var j = 1; j < output.Length; j++)
                AssertRelative([.. output[j].Zip(output[0], (a, b) => a - b)],
                    [.. Enumerable.Range(0, d).Select(i => scores.Features![j * d + i] - scores.Features[i])], 1e-4);
        }
        var whole = new PoolScorer(model).Score(weights, [pool], new FeatureForm(FeatureKind.Output, true));
        AssertRelative([.. output.SelectMany(row => row.Select(x => x / Math.Sqrt(row.Sum(y => y * y))))], whole.Features!, 1e-4);
        var hidden = new PoolScorer(model).Score(weights, [pool], new FeatureForm(FeatureKind.Hidden, false));
        AssertRelative([.. Rows(features.GetProperty("hidden_mean")).SelectMany(row => row)], hidden.Features!, 1e-4);
        AssertHeadGram(Rows(features.GetProperty("head_gram")), unitLength => new PoolScorer(model)
            .Score(weights, [pool], new FeatureForm(FeatureKind.Head, unitLength)).Grams![0]);
    }

    // Cosines of whole gradients, and inner products of differences, which is what selection sees.
    private static void AssertHeadGram(double[][] golden, Func<bool, double[]> gram)
    {
        var (size, plain) = (golden.Length, gram(false));
        AssertRelative([.. golden.SelectMany((row, i) => row.Select((x, j) => x / Math.Sqrt(golden[i][i] * golden[j][j])))],
            Array.ConvertAll(gram(true), x => (float)x), 1e-4);
        var pairs = Enumerable.Range(1, size - 1).SelectMany(i => Enumerable.Range(1, size - 1).Select(j => (I: i, J: j))).ToArray();
        AssertRelative([.. pairs.Select(p => golden[p.I][p.J] + golden[0][0] - golden[p.I][0] - golden[0][p.J])],
            [.. pairs.Select(p => (float)(plain[p.I * size + p.J] + plain[0] - plain[p.I] - plain[p.J]))], 1e-4);
    }

    [SharedDataFact("data/models/stories260K")]
    public void Stories260K_goes_on_writing_as_llama2_c_does()
    {
        using var policy = Stories260K.Load(SharedData.PathOf("data/models/stories260K/stories260K.bin"));
        using var golden = JsonDocument.Parse(File.ReadAllText(SharedData.PathOf("data/models/stories260K/golden.json")));
        var json = golden.RootElement;
        var expected = Ints(json.GetProperty("greedy_temperature0").GetProperty("tokens"));
        var tokens = new List<int> { expected[0] };
        while (tokens.Count < expected.Length)
        {
            var last = FullForward.Logits(policy.Model, policy.Weights, tokens)[^1];
            tokens.Add(Array.IndexOf(last, last.Max()));
        }
        Assert.Equal(expected, tokens);
        var after = json.GetProperty("next_token_logits_after");
        AssertRelative(Doubles(after.GetProperty("logits")), FullForward.Logits(policy.Model, policy.Weights, Ints(after.GetProperty("tokens")))[^1], 1e-4);
    }

    [SharedDataFact("data/models/stories260K")]
    public void Stories260K_scores_texts_and_pools_as_float64_does()
    {
        using var policy = Stories260K.Load(SharedData.PathOf("data/models/stories260K/stories260K.bin"));
        using var golden = JsonDocument.Parse(File.ReadAllText(SharedData.PathOf("data/models/stories260K/golden.json")));
        var scorer = new PoolScorer(policy.Model);
        foreach (var text in golden.RootElement.GetProperty("scored_texts").EnumerateArray())
        {
            var tokens = Ints(text.GetProperty("tokens"));
            var sum = scorer.Score(policy.Weights, [new EncodedPool([tokens[0]], [tokens[1..]])], outputFeatures: false).Logps[0];
            AssertRelative([text.GetProperty("sum_logprob").GetDouble()], [sum], 1e-4);
        }
        foreach (var pool in golden.RootElement.GetProperty("candidate_pools").EnumerateArray())
        {
            var candidates = pool.GetProperty("candidates_first_is_chosen").EnumerateArray().ToList();
            var encoded = new EncodedPool(Ints(pool.GetProperty("prompt_tokens")), [.. candidates.Select(c => Ints(c.GetProperty("tokens")))]);
            var logps = scorer.Score(policy.Weights, [encoded], outputFeatures: false).Logps;
            AssertRelative([.. candidates.Select(c => c.GetProperty("sum_logprob").GetDouble())], logps, 1e-4);
        }
    }

    [SharedDataFact("data/models/stories260K")]
    public void Stories260K_in_Hugging_Face_layout_is_read_back_bit_for_bit()
    {
        using var folder = new TempFolder();
        using var policy = Stories260K.Load(SharedData.PathOf("data/models/stories260K/stories260K.bin"));
        var directory = folder["stories"];
        var tokenizer = Llama2cTokenizer.Load(SharedData.PathOf("data/models/stories260K/tok512.bin"));
        PolicyDirectory.Save(directory, policy.Weights.Config, tokenizer, policy.Weights);
        var config = PolicyDirectory.LoadConfig(directory);
        Assert.Equal(policy.Weights.Config, config);
        Assert.True(JsonNode.DeepEquals(tokenizer.ToJson(), PolicyDirectory.LoadTokenizer(directory, config).ToJson()));
        using var weights = PolicyDirectory.LoadWeights(directory, config);
        Assert.Equal(policy.Weights.ComputeHash(), weights.ComputeHash());
    }
}
