using MassDpo.Policy.Model;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// Sketches of the gradients of log π(y|x) with respect to the output matrix, g = Σ_t h_t (e_{y_t} − π_t)ᵀ, from those of both factors: U·|V|·p₂ multiplications
/// a pool, where <see cref="HeadGram"/> takes U²·|V|.
/// </summary>
internal static class HeadSketch
{
    /// <summary>[C × size], row-major.</summary>
    /// <param name="head">of the pool</param>
    /// <param name="places">of the pool</param>
    /// <param name="sketch">of matrices [d, V]</param>
    /// <param name="size">of a row, at least what the sketch has; what it has not is 0</param>
    /// <param name="whole">whether the gradients are whole; see <see cref="HeadGram.Of"/></param>
    public static float[] Of(PoolHead head, PoolPlaces places, KroneckerSketch sketch, int size, bool whole)
    {
        using var scope = NewDisposeScope();
        var device = head.Hidden_Ud.device;
        var (place_T, token_T) = (tensor(places.Place_T, dtype: ScalarType.Int64, device: device), tensor(places.Token_T, dtype: ScalarType.Int64, device: device));
        var left_Tp = sketch.Left(head.Hidden_Ud.InFloat32()).index_select(0, place_T);
        var expected_Uq = head.ExpectedRows(sketch.Right_bq);
        if (!whole)
            expected_Uq.narrow(0, 0, 1).zero_();
        var right_Tq = sketch.Right_bq.index_select(0, token_T) - expected_Uq.index_select(0, place_T);
        var made = new Tensor[places.Candidates];
        for (var (candidate, first) = (0, 0); candidate < places.Candidates; candidate++)
        {
            using var ofCandidate = NewDisposeScope();
            var end = Array.FindLastIndex(places.Candidate_T, owner => owner == candidate) + 1;
            var (left_tp, right_tq) = (left_Tp.narrow(0, first, end - first), right_Tq.narrow(0, first, end - first));
            made[candidate] = left_tp.t().matmul(right_tq).reshape(-1).MoveToOuterDisposeScope();
            first = end;
        }
        var sketches = stack(made).cpu().data<float>().ToArray();
        var (features, own) = (new float[(long)places.Candidates * size], sketches.Length / places.Candidates);
        for (var candidate = 0; candidate < places.Candidates; candidate++)
            Array.Copy(sketches, candidate * own, features, (long)candidate * size, own);
        return features;
    }
}
