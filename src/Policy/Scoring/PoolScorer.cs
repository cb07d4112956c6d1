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
    /// <summary>[pools + 1] where each pool's candidates begin among those of all.</summary>
    public static int[] StartsOf(IReadOnlyList<EncodedPool> pools)
    {
        var starts = new int[pools.Count + 1];
        for (var n = 0; n < pools.Count; n++)
            starts[n + 1] = starts[n] + pools[n].Candidates;
        return starts;
    }

    /// <summary>The candidates of one pool.</summary>
    public ReadOnlySpan<float> LogpsOf(int pool) => Logps.AsSpan(Start[pool], Start[pool + 1] - Start[pool]);

    /// <summary>
    /// Inner products of the candidates' features, pool by pool, where these are too large to be written down: see <see cref="FeatureForm.IsGram"/>.
    /// </summary>
    public double[][]? Grams { get; init; }

    /// <summary>Their features, row-major; the chosen one's row comes first.</summary>
    public ReadOnlySpan<float> FeaturesOf(int pool) => Features.AsSpan(Start[pool] * FeatureSize, (Start[pool + 1] - Start[pool]) * FeatureSize);
}

/// <summary>
/// Scores pools without gradients, packed: one forward for many pools, each prompt once. Llamas in float32 on the CPU go through native/fused where
/// this process has it, all others, and all where asked for, through tensor operations, as many places at a time as the limits allow. Thread-safe.
/// </summary>
/// <param name="model">the forward in tensor operations</param>
/// <param name="limits">of memory in tensor operations; null: <see cref="ComputeLimits.Default"/></param>
/// <param name="tensorOperationsOnly">leaves native/fused out: the readable reference that it is held against</param>
public sealed class PoolScorer(LlamaModel model, ComputeLimits? limits = null, bool tensorOperationsOnly = false)
{
    internal LlamaModel Model => model;

    internal ComputeLimits Limits { get; } = limits ?? ComputeLimits.Default;

    /// <summary>d: numbers in a candidate's feature vector where that is no sketch.</summary>
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
        var starts = PoolScores.StartsOf(pools);
        var d = FeatureSize;
        var logps = new float[starts[^1]];
        var features = outputFeatures ? new float[(long)starts[^1] * d] : null;
        using var _ = no_grad();
        Forward(weights, pools, (parts, batch, hidden_Ud) =>
        {
            var expected_Ud = features is not null && batch.Candidate_T is not null ? empty_like(hidden_Ud) : null;
            var logps_T = OutputHead.TokenLogps(weights, batch, hidden_Ud, Limits.Logits, expected_Ud);
            var ofParts = LlamaModel.CandidateLogps(batch, logps_T).cpu().data<float>().ToArray();
            var featuresOfParts = features is null ? null : OutputFeatures(weights, batch, expected_Ud).cpu().data<float>().ToArray();
            for (var i = 0; i < parts.Count; i++)
            {
                var (from, to, count) = (batch.CandidateStart[i], starts[parts[i].Pool] + parts[i].FirstCandidate, parts[i].Pack.Candidates);
                Array.Copy(ofParts, from, logps, to, count);
                if (features is not null)
                    Array.Copy(featuresOfParts!, (long)from * d, features, (long)to * d, (long)count * d);
            }
        });
        return new PoolScores(starts, logps, features, d);
    }

    /// <summary>
    /// The last hidden states of each pool's places, [U, d]: the prompt's last one, then those of its candidates in order, as in <see cref="PoolPlaces"/>. They
    /// belong to the caller's dispose scope.
    /// </summary>
    internal Tensor[] Hidden(PolicyWeights weights, IReadOnlyList<EncodedPool> pools)
    {
        var byPool = new SortedDictionary<int, Tensor>[pools.Count];
        using var scope = NewDisposeScope();
        Forward(weights, pools, (parts, _, hidden_Ud) =>
        {
            var first = 0L;
            foreach (var part in parts)
            {
                var places = 1 + part.Pack.Responses.Sum(response => response.Length - 1);
                // The prompt's last place is in every part of a pool, and kept from the first.
                var skipped = part.FirstCandidate == 0 ? 0 : 1;
                (byPool[part.Pool] ??= [])[part.FirstCandidate] = hidden_Ud.narrow(0, first + skipped, places - skipped).clone().MoveToOuterDisposeScope();
                first += places;
            }
        });
        return [.. byPool.Select(parts => parts.Count == 1 ? parts.Values.First() : cat([.. parts.Values], 0)).Select(hidden => hidden.MoveToOuterDisposeScope())];
    }

    // All packs of the pools, group by group.
    private void Forward(PolicyWeights weights, IReadOnlyList<EncodedPool> pools, Action<IReadOnlyList<PoolPart>, PackedBatch, Tensor> ofGroup)
    {
        var parts = new List<PoolPart>();
        for (var n = 0; n < pools.Count; n++)
        {
            var first = 0;
            foreach (var pack in PackPlan.Split(pools[n], Limits.Tokens))
            {
                parts.Add(new PoolPart(n, first, pack));
                first += pack.Candidates;
            }
        }
        foreach (var group in PackPlan.Groups([.. parts.Select(part => part.Pack)], Limits.Tokens))
        {
            using var scope = NewDisposeScope();
            var together = Array.ConvertAll(group, index => parts[index]);
            using var batch = PackedBatch.Of(Array.ConvertAll(together, part => part.Pack), weights.Device);
            ofGroup(together, batch, model.Hidden(weights, batch));
        }
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

    // E_π[W] is null where every response has one token: then it is the same for all.
    private static Tensor OutputFeatures(PolicyWeights weights, PackedBatch batch, Tensor? expected_Ud)
    {
        var features_Td = weights.Output.index_select(0, batch.Token_T).InFloat32();
        if (expected_Ud is null)
            return features_Td;
        features_Td = features_Td - expected_Ud.index_select(0, batch.Place_T).InFloat32() * batch.Own_T!.unsqueeze(1);
        return zeros([batch.Candidates, features_Td.shape[1]], dtype: features_Td.dtype, device: features_Td.device).index_add(0, batch.Candidate_T!, features_Td, 1);
    }

    // Some candidates of a pool, from one on.
    private readonly record struct PoolPart(int Pool, int FirstCandidate, EncodedPool Pack);
}
