using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Scoring;

/// <summary>Scores pools with features of any form. Without gradients, packed, and thread-safe as <see cref="PoolScorer"/>.</summary>
public static class FeatureScorer
{
    /// <summary>
    /// Scores pools together: one forward for all, then logits and features pool by pool, so that no more than one pool's places times |V| are held.
    /// With
    /// <see cref="FeatureKind.Head"/> the result has <see cref="PoolScores.Grams"/>, else <see cref="PoolScores.Features"/>. Unless they are made
    /// unit length, features may lack what all candidates of a pool share: only their differences count.
    /// </summary>
    public static PoolScores Score(this PoolScorer scorer, PolicyWeights weights, IReadOnlyList<EncodedPool> pools, FeatureForm form)
    {
        if (form is { Kind: FeatureKind.Output, UnitLength: false })
            return scorer.Score(weights, pools, outputFeatures: true);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var batch = PackedBatch.Of(pools);
        var hidden_Ud = scorer.Model.Hidden(weights, batch);
        var d = scorer.Model.Config.HiddenSize;
        var logps = new float[batch.Candidates];
        var features = form.Kind == FeatureKind.Head ? null : new float[(long)batch.Candidates * d];
        var grams = form.Kind == FeatureKind.Head ? new double[pools.Count][] : null;
        var first = 0;
        for (var n = 0; n < pools.Count; n++)
        {
            using var ofPool = NewDisposeScope();
            var places = PoolPlaces.Of(pools[n]);
            var own_Ud = hidden_Ud.narrow(0, first, places.Places);
            first += places.Places;
            var log_UV = log_softmax(linear(own_Ud, weights.Output), 1);
            Sum(log_UV, places, logps.AsSpan(batch.CandidateStart[n], places.Candidates));
            if (grams is not null)
            {
                grams[n] = HeadGram.Of(own_Ud, log_UV.exp(), places, whole: form.UnitLength);
                if (form.UnitLength)
                    UnitLength.OfGram(grams[n], places.Candidates);
                continue;
            }
            var made = form.Kind == FeatureKind.Hidden
                ? HiddenFeatures.Of(own_Ud, places)
                : WholeOutputFeatures.Of(weights.Output, log_UV.exp(), places);
            if (form.UnitLength)
                UnitLength.OfRows(made, d);
            made.CopyTo(features!, (long)batch.CandidateStart[n] * d);
        }
        return new PoolScores(batch.CandidateStart, logps, features, d) { Grams = grams };
    }

    private static void Sum(Tensor log_UV, PoolPlaces places, Span<float> logps)
    {
        var vocabulary = log_UV.shape[1];
        var flat = new long[places.Token_T.Length];
        for (var t = 0; t < flat.Length; t++)
            flat[t] = places.Place_T[t] * vocabulary + places.Token_T[t];
        var ofTokens = log_UV.reshape(-1).index_select(0, tensor(flat, dtype: ScalarType.Int64)).data<float>().ToArray();
        for (var t = 0; t < ofTokens.Length; t++)
            logps[places.Candidate_T[t]] += ofTokens[t];
    }
}
