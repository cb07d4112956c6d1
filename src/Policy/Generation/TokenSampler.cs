using MassDpo.Shared.Numerics;

namespace MassDpo.Policy.Generation;

/// <summary>Chooses the next token from logits, in float64. Of equal ones the lowest id comes first.</summary>
internal static class TokenSampler
{
    private const int Stream = 0x70CE;

    /// <summary>The likeliest token.</summary>
    /// <param name="logits">[|V|], −∞ for what can never come</param>
    /// <exception cref="InvalidDataException">they are no numbers</exception>
    public static int Greedy(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var id = 0; id < logits.Length; id++)
        {
            if (float.IsNaN(logits[id]))
                throw NoNumbers();
            if (logits[id] > logits[best])
                best = id;
        }
        return float.IsFinite(logits[best]) ? best : throw NoNumbers();
    }

    /// <summary>
    /// A token drawn from softmax(logits / temperature), or from its likeliest tokens. A function of logits and the three numbers that it is drawn by alone.
    /// </summary>
    /// <param name="logits">[|V|], −∞ for what can never come</param>
    /// <param name="options">see there</param>
    /// <param name="stream">of random numbers, as each text has its own</param>
    /// <param name="step">tokens of the text before</param>
    /// <exception cref="InvalidDataException">they are no numbers</exception>
    public static int Draw(ReadOnlySpan<float> logits, SamplingOptions options, long stream, long step)
    {
        var greatest = (double)logits[Greedy(logits)];
        var weights = new double[logits.Length];
        var sum = 0.0;
        for (var id = 0; id < weights.Length; id++)
            sum += weights[id] = Math.Exp((logits[id] - greatest) / options.Temperature);
        if (options.TopP < 1)
            sum = KeepNucleus(weights, options.TopP * sum, sum);
        // In the order of ids, not of probabilities: logits that differ in their last bits may change that order, and then most draws.
        var left = new StableRandom(options.Seed, stream, step, Stream).Unit() * sum;
        var drawn = -1;
        for (var id = 0; id < weights.Length; id++)
        {
            if (weights[id] == 0)
                continue;
            drawn = id;
            left -= weights[id];
            if (left < 0)
                break;
        }
        return drawn;
    }

    // Sets what is not among the likeliest tokens to 0, and gives the sum of the rest. As soon as they reach what is asked for, no other belongs to them.
    private static double KeepNucleus(double[] weights, double asked, double sum)
    {
        // All below this together have less than what may be missing, so none of them belongs to the likeliest. The greatest weight is 1.
        var least = Math.Min(1, (sum - asked) / weights.Length);
        var likeliest = Array.FindAll(weights, weight => weight >= least);
        Array.Sort(likeliest);
        var (first, within) = (likeliest.Length, 0.0);
        while (first > 0 && within < asked)
            within += likeliest[--first];
        var lowest = likeliest[first];
        var asLow = likeliest.AsSpan(first).LastIndexOf(lowest) + 1;
        for (var id = 0; id < weights.Length; id++)
            if (weights[id] < lowest || (weights[id] == lowest && asLow-- <= 0))
                weights[id] = 0;
        return within;
    }

    private static InvalidDataException NoNumbers() => new("the policy gives logits that are no numbers: its weights are damaged, or its training diverged");
}
