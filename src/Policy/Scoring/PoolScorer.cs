using MassDpo.Policy.Fused;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// What a policy thinks of pools: a log-probability for every candidate and, where asked for, its feature vector.
/// </summary>
/// <param name="Start">[pools + 1] where each pool's candidates begin</param>
/// <param name="Logps">[C] log π(y|x) summed over response tokens, in nats; a pool's first is its chosen one</param>
/// <param name="Features">[C × d] row-major; null where not asked for</param>
/// <param name="FeatureSize">d</param>
public sealed record PoolScores(int[] Start, float[] Logps, float[]? Features, int FeatureSize)
{
    /// <summary>The candidates of one pool.</summary>
    public ReadOnlySpan<float> LogpsOf(int pool) => Logps.AsSpan(Start[pool], Start[pool + 1] - Start[pool]);

    /// <summary>
    /// Inner products of the candidates' features, pool by pool, where these are too large to be written down: see <see cref="HeadGram"/>.
    /// </summary>
    public double[][]? Grams { get; init; }

    /// <summary>Their features, row-major; the chosen one's row comes first.</summary>
    public ReadOnlySpan<float> FeaturesOf(int pool) => Features.AsSpan(Start[pool] * FeatureSize, (Start[pool + 1] - Start[pool]) * FeatureSize);
}

/// <summary>
/// Scores pools without gradients, packed: one forward for many pools, each prompt once. Policies in float32 on the CPU go through native/fused where
/// this process has it, all others, and all where asked for, through tensor operations. Thread-safe.
/// </summary>
/// <param name="model">the forward in tensor operations</param>
/// <param name="tensorOperationsOnly">leaves native/fused out: the readable reference that it is held against</param>
public sealed class PoolScorer(LlamaModel model, bool tensorOperationsOnly = false)
{
    internal LlamaModel Model => model;

    /// <summary>d: numbers in a candidate's feature vector.</summary>
    public int FeatureSize => model.Config.HiddenSize;

    /// <summary>
    /// Whether a pool's scores under these weights are the same bits whatever is scored with it. Where not, a product of matrices rounds otherwise with
    /// other neighbours, and what has to be the same bits each time must be scored alone.
    /// </summary>
    public bool IsBatchInvariant(PolicyWeights weights) => !tensorOperationsOnly && weights.CanPack;

    /// <summary>
    /// Scores pools together. With <paramref name="outputFeatures"/> each candidate gets Σ_t (W_{y_t} − E_π[W]), the gradient of log π(y|x) with respect
    /// to the last hidden states, summed over its tokens; without the term of the first token, which all candidates of a pool share, so that
    /// differences between candidates are whole.
    /// </summary>
    public PoolScores Score(PolicyWeights weights, IReadOnlyList<EncodedPool> pools, bool outputFeatures)
    {
        if (IsBatchInvariant(weights))
            return weights.WithPacked(packed => FusedForward.Score(packed, model.Config, model.Rotary, pools, outputFeatures));
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var batch = PackedBatch.Of(pools);
        var hidden_Ud = model.Hidden(weights, batch);
        var (logps_T, logits_UV) = LlamaModel.TokenLogps(weights, batch, hidden_Ud);
        var logps = LlamaModel.CandidateLogps(batch, logps_T).data<float>().ToArray();
        var features = outputFeatures ? OutputFeatures(weights, batch, logits_UV).data<float>().ToArray() : null;
        return new PoolScores(batch.CandidateStart, logps, features, model.Config.HiddenSize);
    }

    /// <summary>
    /// Log-probabilities of pools, each the same bits whatever else is scored, as a reference has to be: together where that changes nothing, else one by
    /// one.
    /// </summary>
    public IReadOnlyList<float[]> ScoreCanonically(PolicyWeights weights, IReadOnlyList<EncodedPool> pools)
    {
        if (!IsBatchInvariant(weights))
            return [.. pools.Select(pool => Score(weights, [pool], outputFeatures: false).Logps)];
        if (pools.Count == 0)
            return [];
        var scores = Score(weights, pools, outputFeatures: false);
        return [.. Enumerable.Range(0, pools.Count).Select(n => scores.LogpsOf(n).ToArray())];
    }

    /// <summary><see cref="ScoreCanonically"/> of one pool.</summary>
    public float[] ScoreAlone(PolicyWeights weights, EncodedPool pool) => Score(weights, [pool], outputFeatures: false).Logps;

    private static Tensor OutputFeatures(PolicyWeights weights, PackedBatch batch, Tensor logits_UV)
    {
        var features_Td = weights.Output.index_select(0, batch.Token_T);
        if (batch.Candidate_T is null)
            return features_Td;
        var expected_Ud = logits_UV.softmax(1).matmul(weights.Output);
        features_Td = features_Td - expected_Ud.index_select(0, batch.Place_T) * batch.Own_T!.unsqueeze(1);
        return zeros([batch.Candidates, features_Td.shape[1]], dtype: features_Td.dtype, device: features_Td.device).index_add(0, batch.Candidate_T, features_Td, 1);
    }
}
