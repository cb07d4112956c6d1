using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.App.Running;
using MassDpo.Policy;
using MassDpo.Policy.Generation;
using MassDpo.Policy.Lora;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Files;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Verbs;

public sealed class GenerateVerbTests : IDisposable
{
    private static readonly PolicyConfig Config = MadePolicy.Config();

    private readonly TempFolder _folder = new();

    public GenerateVerbTests()
    {
        // Over words; some ids have none, as in published checkpoints.
        using var weights = MadePolicy.Weights(Config);
        PolicyDirectory.Save(Policy, Config, WordLevelTokenizer.Create(Enumerable.Range(0, 40).Select(i => $"w{i}"), splitsAtWhitespace: true), weights);
    }

    private string Policy => _folder["policy"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Text_and_JSON_are_what_the_generator_gives_for_each_prompt()
    {
        using var loaded = LoadedPolicy.Load(Policy);
        // BOS goes before a text, and before ids nothing.
        int[][] prompts = [[WordLevelTokenizer.BosId, 5, 6], [WordLevelTokenizer.BosId, 7]];
        foreach (var (words, sampling) in new (string[], SamplingOptions?)[]
            { (["--greedy"], null), (["--seed", "4", "--temperature", "1.5", "--top-p", "0.8"], new SamplingOptions(4, 1.5, 0.8)), ([], new SamplingOptions(1)) })
        {
            var expected = new TokenGenerator(loaded.Model).Generate(loaded.Weights, prompts, new GenerationOptions(20, [WordLevelTokenizer.EosId], sampling));
            var json = await Json([.. words, "--max-tokens", "20", "--prompt", "w2 w3", "--prompt", "w4"]);
            Assert.Equal(["ids", "text"], json[0].Select(field => field.Key));
            Assert.Equal(expected, json.Select(Ids));
            Assert.Equal(expected.Select(ids => string.Join(' ', ids.Where(id => id is > 2 and < 43).Select(id => $"w{id - 3}"))), json.Select(Text));
            Assert.Equal(json.Select(Ids), (await Json([.. words, "--max-tokens", "20", "--ids", "0 5, 6", "--ids", "0,7"])).Select(Ids));
            var lines = await Called.Well(["generate", "--policy", Policy, "--max-tokens", "20", "--prompt", "w2 w3", "--prompt", "w4", .. words]);
            Assert.Equal(string.Concat(json.Select(line => Text(line) + Environment.NewLine)), lines.Out);
        }
    }

    [Fact]
    public async Task Every_end_token_ends_a_text_and_is_told_among_the_ids_alone()
    {
        var free = Ids((await Json("--seed", "4", "--max-tokens", "20", "--prompt", "w2")).Single());
        var at = Array.FindIndex(free, 1, id => id is > 2 and < 43 && Array.IndexOf(free, id) > 0);
        File.WriteAllText(Path.Combine(Policy, "generation_config.json"), $$"""{"eos_token_id": [1, {{free[at]}}]}""");
        var ended = (await Json("--seed", "4", "--max-tokens", "20", "--prompt", "w2")).Single();
        Assert.Equal(free[..(at + 1)], Ids(ended));
        // It is a word, but here it says that nothing follows.
        Assert.Equal(string.Join(' ', free[..at].Where(id => id is > 2 and < 43).Select(id => $"w{id - 3}")), Text(ended));
    }

    [Fact]
    public async Task An_adapter_goes_on_from_its_base()
    {
        using (var whole = LoadedPolicy.Load(Policy))
        {
            using var trained = whole.Weights.WithFreshAdapter(new LoraOptions { Rank = 2, Alpha = 200, Targets = ["q_proj", "down_proj"] }, seed: 1).Copy();
            using (TorchSharp.torch.no_grad())
                foreach (var (name, tensor) in trained.Tensors)
                    if (name.Contains("lora_B", StringComparison.Ordinal))
                        tensor.fill_(0.1f);
            PolicyDirectory.SaveLike(whole.Origin, _folder["adapter"], PhysicalFiles.Instance, trained);
        }
        string[] words = ["--greedy", "--max-tokens", "20", "--prompt", "w2", "--json"];
        using var loaded = LoadedPolicy.Load(_folder["adapter"]);
        var expected = new TokenGenerator(loaded.Model).Generate(loaded.Weights, [[0, 5]], new GenerationOptions(20, [1]))[0];
        Assert.Equal(expected, Ids((await Called.Well(["generate", "--policy", _folder["adapter"], .. words])).Json));
        Assert.NotEqual(expected, Ids((await Called.Well(["generate", "--policy", Policy, .. words])).Json));
    }

    [Theory]
    [InlineData(2, new[] { "--prompt and --ids", "give one of them" }, "--prompt", "w1", "--ids", "1")]
    [InlineData(2, new[] { "nothing to go on from", "--prompt TEXT" })]
    [InlineData(2, new[] { "--ids: '1;2' is no token id" }, "--ids", "1;2")]
    [InlineData(2, new[] { "--ids: '-1' is no token id" }, "--ids", "-1")]
    [InlineData(2, new[] { "--temperature: generation.temperature", "found 0", "--greedy" }, "--prompt", "w1", "--temperature", "0")]
    [InlineData(2, new[] { "--top-p: generation.top-p", "found 1.5" }, "--prompt", "w1", "--top-p", "1.5")]
    [InlineData(1, new[] { "prompt 2 of 2 has id 50", "from 0 to 49" }, "--ids", "1", "--ids", "50")]
    [InlineData(1, new[] { "prompt 1 of 1 has no token" }, "--ids", " ")]
    [InlineData(1, new[] { "prompt 1 of 1 has 65 tokens and leaves no room: the policy has positions for 64" }, "--prompt", "w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w")]
    public async Task What_cannot_be_gone_on_from_is_refused(int code, string[] message, params string[] words) =>
        await Called.Refused(code, ["generate", "--policy", Policy, .. words], message);

    [Fact]
    public async Task An_item_is_one_prompt_and_never_an_unknown_one()
    {
        MadePolicy.Write(_folder["items"], Config);
        var called = await Called.Well("generate", "--policy", _folder["items"], "--prompt", "i3", "--greedy", "--json", "--max-tokens", "1");
        Assert.Equal(Ids(called.Json), Ids((await Called.Well("generate", "--policy", _folder["items"], "--ids", "0 6", "--greedy", "--json", "--max-tokens", "1")).Json));
        await Called.Refused(1, ["generate", "--policy", _folder["items"], "--prompt", "i3 i4"], "the item 'i3 i4' is not in the policy's vocabulary", "--ids");
    }

    private async Task<IReadOnlyList<JsonObject>> Json(params string[] words)
    {
        var called = await Called.Well(["generate", "--policy", Policy, "--json", .. words]);
        return [.. called.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!.AsObject())];
    }

    private static int[] Ids(JsonObject json) => json["ids"].Deserialize<int[]>()!;

    private static string Text(JsonObject json) => (string)json["text"]!;
}
