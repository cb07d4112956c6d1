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
        var flat = new FlatPools(pools);
        var logps = new float[flat.Candidates];
        var features = outputFeatures ? new float[(long)flat.Candidates * config.HiddenSize] : null;
        var release = false;
        try
        {
            weights.DangerousAddRef(ref release);
            var handle = weights.DangerousGetHandle();
            flat.With(rotary, given =>
            {
                fixed (float* logpsAt = logps, featuresAt = features)
                    FusedLibrary.Score(handle, given, level, logpsAt, featuresAt);
            });
        }
        finally
        {
            if (release)
                weights.DangerousRelease();
        }
        return new PoolScores(flat.Starts, logps, features, config.HiddenSize);
    }
}
