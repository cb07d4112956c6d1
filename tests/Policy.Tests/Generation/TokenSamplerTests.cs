using MassDpo.Policy.Generation;

namespace MassDpo.Policy.Tests.Generation;

public sealed class TokenSamplerTests
{
    // Not in the order of ids, with a tie and what can never come.
    private static readonly double[] Probabilities = [0.05, 0.3, 0, 0.1, 0.25, 0.05, 0.2, 0.05];

    private static readonly float[] Logits = [.. Probabilities.Select(p => (float)Math.Log(p) + 3)];

    [Fact]
    public void Greedy_takes_the_lowest_id_of_the_likeliest()
    {
        Assert.Equal(1, TokenSampler.Greedy(Logits));
        Assert.Equal(1, TokenSampler.Greedy([0.5f, 2, 1, 2, 2]));
        Assert.Equal(0, TokenSampler.Greedy([-3, -3]));
        Assert.Equal(2, TokenSampler.Greedy([float.NegativeInfinity, float.NegativeInfinity, -1e30f]));
    }

    [Theory]
    // Temperature, top-p, and how many of the likeliest can come.
    [InlineData(1, 1, 7)]
    [InlineData(0.5, 1, 7)]
    [InlineData(2, 1, 7)]
    [InlineData(1, 0.76, 4)]
    [InlineData(1, 0.74, 3)]
    [InlineData(1, 0.88, 5)]
    [InlineData(1, 0.01, 1)]
    [InlineData(0.5, 0.74, 3)]
    [InlineData(3, 0.5, 3)]
    public void Tokens_come_as_often_as_their_probability_says(double temperature, double topP, int tokens)
    {
        const int Draws = 20_000;
        var weights = Probabilities.Select(p => Math.Pow(p, 1 / temperature)).ToArray();
        // Stable: of equal ones the lowest id stays.
        var kept = Enumerable.Range(0, weights.Length).OrderByDescending(id => weights[id]).Take(tokens).ToArray();
        var sum = kept.Sum(id => weights[id]);
        Assert.True(sum >= topP * weights.Sum() - 1e-9 && (tokens == 1 || sum - weights[kept[^1]] < topP * weights.Sum()));
        var counts = new int[weights.Length];
        var options = new SamplingOptions(Seed: 3, temperature, topP);
        // Both keys of a draw, so that neither may be without effect.
        for (var i = 0; i < Draws; i++)
            counts[TokenSampler.Draw(Logits, options, stream: i / 100, step: i % 100)]++;
        Assert.Equal(Draws, kept.Sum(id => counts[id]));
        var chiSquare = kept.Sum(id => Math.Pow(counts[id] - Draws * weights[id] / sum, 2) / (Draws * weights[id] / sum));
        // The 99.9 % quantiles of χ² with one degree of freedom less than tokens.
        Assert.True(chiSquare <= new[] { 1e-9, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46 }[tokens - 1], $"χ² = {chiSquare}");
    }

    [Fact]
    public void Logits_that_differ_in_their_last_bits_give_the_same_tokens()
    {
        // Two nearly alike: which of them is the likelier changes.
        float[] one = [1, 1.0000001f, 0.5f, 1.0000001f], other = [1.0000001f, 1, 0.5000001f, 1];
        foreach (var topP in new[] { 1, 0.95 })
            for (var step = 0; step < 1000; step++)
                Assert.Equal(TokenSampler.Draw(one, new SamplingOptions(1, 1, topP), 0, step), TokenSampler.Draw(other, new SamplingOptions(1, 1, topP), 0, step));
    }

    [Fact]
    public void Any_id_of_a_large_vocabulary_can_come()
    {
        var logits = new float[150_000];
        var seen = new HashSet<int>();
        foreach (var topP in new[] { 1, 0.9999, 0.5, 1e-300 })
            for (var step = 0; step < 20; step++)
                seen.Add(TokenSampler.Draw(logits, new SamplingOptions(1, 1, topP), 1, step));
        // With next to no probability, of all that are equal the first.
        Assert.Contains(0, seen);
        Assert.InRange(seen.Count, 35, 61);
        Assert.True(seen.Max() > 100_000);
    }

    [Fact]
    public void Logits_that_are_no_numbers_are_refused()
    {
        foreach (var logits in new float[][] { [float.NaN, 1], [1, float.NaN], [float.PositiveInfinity, 1], [float.NegativeInfinity, float.NegativeInfinity] })
        {
            Assert.Contains("no numbers", Assert.Throws<InvalidDataException>(() => TokenSampler.Greedy(logits)).Message);
            Assert.Throws<InvalidDataException>(() => TokenSampler.Draw(logits, new SamplingOptions(1), 0, 0));
        }
    }
}
