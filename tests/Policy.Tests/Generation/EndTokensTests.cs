using MassDpo.Policy.Generation;
using MassDpo.PolicyKit;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Generation;

public sealed class EndTokensTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(new[] { 3 }, null, 3)]
    [InlineData(new[] { 3, 5 }, null, 3, 5)]
    [InlineData(new[] { 3 }, """{"eos_token_id": [5, 3, 7]}""", 3, 5, 7)]
    [InlineData(new int[0], """{"eos_token_id": 9}""", 9)]
    [InlineData(new int[0], """{"temperature": 0.6}""")]
    [InlineData(new[] { 3 }, """{"eos_token_id": null}""", 3)]
    public void All_that_config_and_generation_config_name_end_a_text(int[] config, string? generation, params int[] expected) =>
        Assert.Equal(expected, Load(generation, config).Order());

    [Theory]
    [InlineData("""{"eos_token_id": 50}""", "generation_config.json: eos_token_id 50 is outside the vocabulary of 50")]
    [InlineData("""{"eos_token_id": [3, -1]}""", "generation_config.json: eos_token_id -1 is outside the vocabulary of 50")]
    [InlineData("""{"eos_token_id": [3, "</s>"]}""", "generation_config.json: eos_token_id \"</s>\" is no token id")]
    [InlineData("""{"eos_token_id": 2.5}""", "generation_config.json: eos_token_id 2.5 is no token id")]
    [InlineData("[2]", "generation_config.json: expected a JSON object")]
    [InlineData("{", "generation_config.json: not JSON")]
    public void What_is_no_token_is_refused_by_its_file(string generation, string message) =>
        Assert.Contains(message, Assert.Throws<PolicyFormatException>(() => Load(generation)).Message);

    private IReadOnlySet<int> Load(string? generation, params int[] config)
    {
        if (generation is not null)
            _folder.Write("generation_config.json", generation);
        return EndTokens.Load(_folder.Path, MadePolicy.Config() with { EosTokenIds = [.. config] });
    }
}
