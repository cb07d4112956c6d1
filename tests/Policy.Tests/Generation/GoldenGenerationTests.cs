using System.Text.Json;
using MassDpo.Policy.Generation;
using MassDpo.Policy.Model;
using MassDpo.PolicyKit;
using MassDpo.TestKit;
using static MassDpo.Policy.Tests.GoldenNumbers;

namespace MassDpo.Policy.Tests.Generation;

/// <summary>Against what other implementations go on to write.</summary>
public sealed class GoldenGenerationTests
{
    [SharedDataTheory("fixtures/hf")]
    [InlineData("llama-tied")]
    [InlineData("llama3-rope")]
    [InlineData("mistral-window")]
    [InlineData("qwen2-bias")]
    [InlineData("qwen3-qknorm")]
    [InlineData("smollm-bf16")]
    public void Greedy_ids_are_those_of_transformers_alone_and_beside_others(string name)
    {
        var directory = SharedData.PathOf("fixtures/hf/" + name);
        var config = PolicyDirectory.LoadConfig(directory);
        using var weights = PolicyDirectory.LoadWeights(directory, config);
        using var model = new LlamaModel(config);
        using var golden = JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, "golden.json")));
        var (prompt, expected) = (Ints(golden.RootElement.GetProperty("prompt")), Ints(golden.RootElement.GetProperty("greedy")));
        var options = new GenerationOptions(expected.Length, EndTokens.Load(directory, config));
        Assert.Equal([2], options.EndTokens);
        var generator = new TokenGenerator(model);
        Assert.Equal(expected, generator.Generate(weights, [prompt], options)[0]);
        Assert.Equal(expected, generator.Generate(weights, [prompt[..3], Ints(golden.RootElement.GetProperty("ids")), prompt, [1]], options)[2]);
        // Where the first part of what comes next stands in the prompt already, the rest comes.
        Assert.Equal(expected[9..], generator.Generate(weights, [[.. prompt, .. expected[..9]]], options)[0][..^9]);
    }

    [SharedDataFact("data/models/stories260K")]
    public void Stories260K_goes_on_writing_as_llama2_c_does()
    {
        using var policy = Stories260K.Load(SharedData.PathOf("data/models/stories260K/stories260K.bin"));
        using var golden = JsonDocument.Parse(File.ReadAllText(SharedData.PathOf("data/models/stories260K/golden.json")));
        var expected = Ints(golden.RootElement.GetProperty("greedy_temperature0").GetProperty("tokens"));
        var found = new TokenGenerator(policy.Model).Generate(policy.Weights, [expected[..1], expected[..40]], new GenerationOptions(expected.Length - 1, []));
        Assert.Equal(expected[1..], found[0]);
        Assert.Equal(expected[40..], found[1][..(expected.Length - 40)]);
    }
}
