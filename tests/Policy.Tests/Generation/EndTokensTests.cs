using MassDpo.Policy.Generation;
using MassDpo.PolicyKit;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Generation;

public sealed class EndTokensTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{"eos_token_id": 3}""", null, 3)]
    [InlineData("""{"eos_token_id": [3, 5]}""", null, 3, 5)]
    [InlineData("""{"eos_token_id": 3}""", """{"eos_token_id": [5, 3, 7]}""", 3, 5, 7)]
    [InlineData("""{"eos_token_id": null}""", """{"eos_token_id": 9}""", 9)]
    [InlineData("{}", """{"temperature": 0.6}""")]
    public void All_that_both_files_name_end_a_text(string config, string? generation, params int[] expected)
    {
        Write(config, generation);
        Assert.Equal(expected, EndTokens.Load(_folder.Path, MadePolicy.Config()).Order());
    }

    [Theory]
    [InlineData("{}", """{"eos_token_id": 50}""", "generation_config.json: eos_token_id 50 is outside the vocabulary of 50")]
    [InlineData("""{"eos_token_id": [3, -1]}""", null, "config.json: eos_token_id -1 is outside the vocabulary of 50")]
    [InlineData("""{"eos_token_id": [3, "</s>"]}""", null, "config.json: eos_token_id \"</s>\" is no token id")]
    [InlineData("{}", """{"eos_token_id": 2.5}""", "generation_config.json: eos_token_id 2.5 is no token id")]
    [InlineData("{}", "[2]", "generation_config.json: expected a JSON object")]
    [InlineData("{}", "{", "generation_config.json: not JSON")]
    public void What_is_no_token_is_refused_by_its_file(string config, string? generation, string message)
    {
        Write(config, generation);
        Assert.Contains(message, Assert.Throws<PolicyFormatException>(() => EndTokens.Load(_folder.Path, MadePolicy.Config())).Message);
    }

    private void Write(string config, string? generation)
    {
        _folder.Write("config.json", config);
        if (generation is not null)
            _folder.Write("generation_config.json", generation);
    }
}
