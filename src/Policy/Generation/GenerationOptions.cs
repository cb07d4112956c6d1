namespace MassDpo.Policy.Generation;

/// <summary>How tokens are generated.</summary>
/// <param name="MostTokens">after each prompt, at least 1</param>
/// <param name="EndTokens">each of them ends a text; see <see cref="Generation.EndTokens"/></param>
/// <param name="Sampling">null: the likeliest token each time (greedy)</param>
public sealed record GenerationOptions(int MostTokens, IReadOnlyCollection<int> EndTokens, SamplingOptions? Sampling = null)
{
    /// <exception cref="ArgumentOutOfRangeException">a number is outside its range</exception>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MostTokens);
        if (Sampling is not null)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Sampling.Temperature);
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Sampling.TopP);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(Sampling.TopP, 1);
        }
    }
}

/// <summary>How a token is drawn.</summary>
/// <param name="Seed">of everything that is drawn</param>
/// <param name="Temperature">what logits are divided by, above 0</param>
/// <param name="TopP">
/// above 0 and at most 1: the least number of likeliest tokens that together have this probability are drawn from (nucleus sampling, arXiv 1904.09751)
/// </param>
public sealed record SamplingOptions(long Seed, double Temperature = 1, double TopP = 1);
