using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>Scores pools with features of any form. Without gradients, packed, and thread-safe as <see cref="PoolScorer"/>.</summary>
public static class FeatureScorer
{
    /// <summary>
    /// Scores pools together: one forward for all that the limits allow, then logits and features pool by pool. With
    /// <see cref="FeatureKind.Head"/> the result has <see cref="PoolScores.Grams"/>, else <see cref="PoolScores.Features"/>. Unless they are made
    /// unit length, features may lack what all candidates of a pool share: only their differences count.
    /// </summary>
    public static PoolScores Score(this PoolScorer scorer, PolicyWeights weights, IReadOnlyList<EncodedPool> pools, FeatureForm form)
    {
        if (form is { Kind: FeatureKind.Output, UnitLength: false })
            return scorer.Score(weights, pools, outputFeatures: true);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var starts = new int[pools.Count + 1];
        for (var n = 0; n < pools.Count; n++)
            starts[n + 1] = starts[n] + pools[n].Candidates;
        var d = scorer.FeatureSize;
        var logps = new float[starts[^1]];
        var features = form.Kind == FeatureKind.Head ? null : new float[(long)starts[^1] * d];
        var grams = form.Kind == FeatureKind.Head ? new double[pools.Count][] : null;
        var hidden = scorer.Hidden(weights, pools);
        for (var n = 0; n < pools.Count; n++)
        {
            using var ofPool = NewDisposeScope();
            var places = PoolPlaces.Of(pools[n]);
            var head = new PoolHead(hidden[n], weights.Output, scorer.Limits.Logits);
            Sum(head.TokenLogps(places), places, logps.AsSpan(starts[n], places.Candidates));
            if (grams is not null)
            {
                grams[n] = HeadGram.Of(head, places, whole: form.UnitLength);
                if (form.UnitLength)
                    UnitLength.OfGram(grams[n], places.Candidates);
                continue;
            }
            var made = form.Kind == FeatureKind.Hidden
                ? HiddenFeatures.Of(hidden[n], places)
                : WholeOutputFeatures.Of(head, places);
            if (form.UnitLength)
                UnitLength.OfRows(made, d);
            made.CopyTo(features!, (long)starts[n] * d);
        }
        return new PoolScores(starts, logps, features, d) { Grams = grams };
    }

    private static void Sum(Tensor logps_T, PoolPlaces places, Span<float> logps)
    {
        var ofTokens = logps_T.data<float>().ToArray();
        for (var t = 0; t < ofTokens.Length; t++)
            logps[places.Candidate_T[t]] += ofTokens[t];
    }
}
