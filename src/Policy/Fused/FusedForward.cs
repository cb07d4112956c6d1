using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Fused;

/// <summary>
/// Scores pools by native/fused: the same numbers as tensor operations up to rounding, and the same bits for a pool whatever is scored with it, on any
/// instruction set and number of threads.
/// </summary>
internal static unsafe class FusedForward
{
    /// <param name="weights">packed</param>
    /// <param name="config">of the policy</param>
    /// <param name="rotary">of the policy</param>
    /// <param name="pools">in the order of the result</param>
    /// <param name="outputFeatures">whether features are asked for</param>
    /// <param name="level">instruction set; −1: the best</param>
    /// <exception cref="System.Runtime.InteropServices.ExternalException">a token or a position that the policy does not have</exception>
    public static PoolScores Score(FusedWeights weights, PolicyConfig config, RotaryTable rotary, IReadOnlyList<EncodedPool> pools, bool outputFeatures, int level = -1)
    {
        var starts = new int[pools.Count + 1];
        var prompts = new int[pools.Count];
        var candidates = new int[pools.Count];
        var length = 0L;
        for (var n = 0; n < pools.Count; n++)
        {
            prompts[n] = pools[n].Prompt.Length;
            candidates[n] = pools[n].Candidates;
            starts[n + 1] = starts[n] + candidates[n];
            length += prompts[n];
            foreach (var response in pools[n].Responses)
                length += response.Length;
        }
        var responses = new int[starts[^1]];
        var tokens = new int[length];
        var (at, c) = (0, 0);
        foreach (var pool in pools)
        {
            Append(pool.Prompt);
            foreach (var response in pool.Responses)
            {
                responses[c++] = response.Length;
                Append(response);
            }
        }
        var logps = new float[starts[^1]];
        var features = outputFeatures ? new float[(long)starts[^1] * config.HiddenSize] : null;
        var release = false;
        try
        {
            weights.DangerousAddRef(ref release);
            fixed (int* promptsAt = prompts, candidatesAt = candidates, responsesAt = responses, tokensAt = tokens)
            fixed (float* logpsAt = logps, featuresAt = features)
            {
                var given = new FusedPools
                {
                    Prompts = promptsAt,
                    Candidates = candidatesAt,
                    Responses = responsesAt,
                    Tokens = tokensAt,
                    TokenCount = tokens.Length,
                    Count = pools.Count,
                    Cos = (float*)FusedWeights.Address(rotary.Cos),
                    Sin = (float*)FusedWeights.Address(rotary.Sin),
                };
                FusedLibrary.Score(weights.DangerousGetHandle(), &given, level, logpsAt, featuresAt);
            }
        }
        finally
        {
            if (release)
                weights.DangerousRelease();
        }
        return new PoolScores(starts, logps, features, config.HiddenSize);

        void Append(int[] ids)
        {
            ids.CopyTo(tokens, at);
            at += ids.Length;
        }
    }
}
