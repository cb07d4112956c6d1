using MassDpo.Policy.Generation;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Numerics;

namespace MassDpo.Policy.Tests.Generation;

public sealed class TokenGeneratorTests : IDisposable
{
    private static readonly PolicyConfig Config = MadePolicy.Config();

    private static readonly GenerationOptions Greedy = new(12, []);

    private static readonly GenerationOptions Sampled = new(12, [], new SamplingOptions(Seed: 5, Temperature: 0.8, TopP: 0.9));

    private readonly PolicyWeights _weights = MadePolicy.Weights(Config);
    private readonly LlamaModel _model = new(Config);
    private readonly int[][] _prompts;

    public TokenGeneratorTests()
    {
        var random = new StableRandom(11);
        _prompts = new int[9][];
        for (var i = 0; i < _prompts.Length; i++)
            _prompts[i] = MadePolicy.Pool(ref random, Config.VocabularySize, candidates: 1, longestPrompt: 20, longestResponse: 1).Prompt;
    }

    private TokenGenerator Generator => new(_model);

    public void Dispose()
    {
        _model.Dispose();
        _weights.Dispose();
    }

    [Fact]
    public void Greedy_takes_the_likeliest_token_of_the_whole_forward_each_time()
    {
        foreach (var (prompt, found) in _prompts.Zip(Generator.Generate(_weights, _prompts, Greedy)))
        {
            Assert.Equal(Greedy.MostTokens, found.Length);
            for (var i = 0; i < found.Length; i++)
            {
                var logits = FullForward.LastLogits(_model, _weights, [.. prompt, .. found[..i]]);
                Assert.Equal(Array.IndexOf(logits, logits.Max()), found[i]);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_prompt_gets_the_same_tokens_whatever_is_computed_with_it(bool sampled)
    {
        var options = sampled ? Sampled : Greedy;
        var together = Generator.Generate(_weights, _prompts, options);
        for (var i = 0; i < _prompts.Length; i++)
            Assert.Equal(together[i], Generator.Generate(_weights, [_prompts[i]], options, [i])[0]);
        // Few places at a time, and then one row's logits at a time.
        foreach (var limits in new[] { new ComputeLimits(50), ComputeLimits.Default with { Logits = 2 * Config.VocabularySize } })
            Assert.Equal(together, new TokenGenerator(_model, limits).Generate(_weights, _prompts, options));
    }

    [Fact]
    public void What_is_drawn_is_a_function_of_seed_and_stream()
    {
        int[][] same = [_prompts[0], _prompts[0], _prompts[0]];
        var found = Generator.Generate(_weights, same, Sampled);
        Assert.Equal(3, found.Select(ids => string.Join(' ', ids)).Distinct().Count());
        Assert.Equal(found, Generator.Generate(_weights, same, Sampled));
        Assert.Equal([found[2], found[0], found[2]], Generator.Generate(_weights, same, Sampled, [2, 0, 2]));
        var other = Generator.Generate(_weights, same, Sampled with { Sampling = Sampled.Sampling! with { Seed = 6 } });
        Assert.All(other, ids => Assert.DoesNotContain(ids, found));
        Assert.Equal(Generator.Generate(_weights, same, Greedy), Generator.Generate(_weights, same, Sampled with { Sampling = new SamplingOptions(1, Temperature: 1e-6) }));
        Assert.Equal(Generator.Generate(_weights, same, Greedy), Generator.Generate(_weights, same, Sampled with { Sampling = new SamplingOptions(1, TopP: 1e-9) }));
    }

    [Fact]
    public void Any_end_token_ends_its_own_text_and_is_its_last_id()
    {
        var free = Generator.Generate(_weights, _prompts, Sampled);
        int[] ends = [free[0][2], free[1][6], free[2][9]];
        var found = Generator.Generate(_weights, _prompts, Sampled with { EndTokens = ends });
        for (var i = 0; i < free.Count; i++)
        {
            var end = Array.FindIndex(free[i], ends.Contains);
            Assert.Equal(end < 0 ? free[i] : free[i][..(end + 1)], found[i]);
        }
        Assert.True(found.Select(ids => ids.Length).Distinct().Count() > 2, string.Join(' ', found.Select(ids => ids.Length)));
    }

    [Fact]
    public void A_text_ends_at_the_last_position_of_the_policy()
    {
        int[] nearly = [.. Enumerable.Repeat(7, Config.MaxPositions - 3)];
        var found = Generator.Generate(_weights, [nearly, [7], [.. nearly, 7, 7]], Greedy with { MostTokens = int.MaxValue });
        Assert.Equal([3, Config.MaxPositions - 1, 1], found.Select(ids => ids.Length));
        Assert.Contains("prompt 2 of 2 has 64 tokens and leaves no room: the policy has positions for 64", Refusal([7], [.. nearly, 7, 7, 7]));
    }

    [Fact]
    public void A_prompt_that_cannot_be_is_refused_by_its_place()
    {
        Assert.Contains("prompt 2 of 3 has no token", Refusal([7], [], [7]));
        Assert.Contains("prompt 1 of 1 has id 50, which is outside the policy's vocabulary: ids are from 0 to 49", Refusal([3, 50]));
        Assert.Contains("prompt 1 of 1 has id -1,", Refusal([-1]));
        Assert.Empty(Generator.Generate(_weights, [], Greedy));
    }

    [Fact]
    public void Options_outside_their_range_are_refused()
    {
        foreach (var options in new[] { Greedy with { MostTokens = 0 }, Greedy with { Sampling = new SamplingOptions(1, Temperature: 0) }, Greedy with { Sampling = new SamplingOptions(1, TopP: 0) },
            Greedy with { Sampling = new SamplingOptions(1, TopP: 1.01) } })
            Assert.Throws<ArgumentOutOfRangeException>(() => Generator.Generate(_weights, _prompts, options));
        Assert.Throws<ArgumentException>(() => Generator.Generate(_weights, _prompts, Greedy, [1]));
    }

    [Fact]
    public void It_can_be_stopped_between_tokens()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => Generator.Generate(_weights, _prompts, Greedy, cancellation: stop.Token));
    }

    private string Refusal(params int[][] prompts) => Assert.Throws<InvalidDataException>(() => Generator.Generate(_weights, prompts, Greedy)).Message;
}
