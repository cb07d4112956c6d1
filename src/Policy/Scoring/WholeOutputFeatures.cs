using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// The gradient of log π(y|x) with respect to the last hidden states, Σ_t (W_{y_t} − E_{π_t}[W]), the term of the first token included: what has to
/// be known where features are made unit length. <see cref="PoolScorer"/> leaves that term out.
/// </summary>
internal static class WholeOutputFeatures
{
    /// <summary>[C × d], row-major.</summary>
    /// <param name="head">of the pool</param>
    /// <param name="places">of the pool</param>
    public static float[] Of(PoolHead head, PoolPlaces places)
    {
        using var scope = NewDisposeScope();
        var device = head.Hidden_Ud.device;
        var errors_Td = head.RowsOf(tensor(places.Token_T, dtype: ScalarType.Int64, device: device))
            - head.ExpectedRows().index_select(0, tensor(places.Place_T, dtype: ScalarType.Int64, device: device));
        var membership_CT = tensor(places.Membership(mean: false), [places.Candidates, places.Token_T.Length], dtype: ScalarType.Float64, device: device);
        return membership_CT.matmul(errors_Td.to(ScalarType.Float64)).to(ScalarType.Float32).cpu().data<float>().ToArray();
    }
}
