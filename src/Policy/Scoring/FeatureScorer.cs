using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>Scores pools with features of any form. Without gradients, packed, and thread-safe as <see cref="PoolScorer"/>.</summary>
public static class FeatureScorer
{
    /// <summary>
    /// Scores pools together: one forward for all that the limits allow, then logits and features pool by pool; with <see cref="FeatureKind.Lora"/> see
    /// <see cref="LoraFeatures"/>. Where <see cref="FeatureForm.IsGram"/> the result has <see cref="PoolScores.Grams"/>, else <see cref="PoolScores.Features"/>. Unless
    /// they are made unit length, features may lack what all candidates of a pool share: only their differences count.
    /// </summary>
    /// <exception cref="ArgumentException">a sketch of what is a vector already</exception>
    /// <exception cref="InvalidOperationException">the gradient of an adapter, of a policy that has none</exception>
    public static PoolScores Score(this PoolScorer scorer, PolicyWeights weights, IReadOnlyList<EncodedPool> pools, FeatureForm form)
    {
        if (form.Sketch > 0 && !form.Kind.AreOfMatrices())
            throw new ArgumentException($"features '{form.Kind.Name()}' are vectors already, and have no sketch", nameof(form));
        if (form.Kind == FeatureKind.Lora)
            return LoraFeatures.Score(scorer, weights, pools, form);
        if (form is { Kind: FeatureKind.Output, UnitLength: false })
            return scorer.Score(weights, pools, outputFeatures: true);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var starts = PoolScores.StartsOf(pools);
        var size = form.SizeOf(scorer.FeatureSize);
        var logps = new float[starts[^1]];
        var features = form.IsGram ? null : new float[(long)starts[^1] * size];
        var grams = form.IsGram ? new double[pools.Count][] : null;
        using var sketch = form.Sketch > 0
            ? new KroneckerSketch(scorer.FeatureSize, weights.Output.shape[0], form.Sketch, form.Seed, matrix: 0, weights.Device)
            : null;
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
            var made = sketch is not null ? HeadSketch.Of(head, places, sketch, size, whole: form.UnitLength)
                : form.Kind == FeatureKind.Hidden ? HiddenFeatures.Of(hidden[n], places)
                : WholeOutputFeatures.Of(head, places);
            if (form.UnitLength)
                UnitLength.OfRows(made, size);
            made.CopyTo(features!, (long)starts[n] * size);
        }
        return new PoolScores(starts, logps, features, size) { Grams = grams };
    }

    private static void Sum(Tensor logps_T, PoolPlaces places, Span<float> logps)
    {
        var ofTokens = logps_T.cpu().data<float>().ToArray();
        for (var t = 0; t < ofTokens.Length; t++)
            logps[places.Candidate_T[t]] += ofTokens[t];
    }
}
