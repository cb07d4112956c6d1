using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>The mean of the last hidden states over the places that predict a response.</summary>
internal static class HiddenFeatures
{
    /// <summary>[C × d], row-major.</summary>
    /// <param name="hidden_Ud">the last hidden states of the pool's places</param>
    /// <param name="places">of the pool</param>
    public static float[] Of(Tensor hidden_Ud, PoolPlaces places)
    {
        using var scope = NewDisposeScope();
        var membership_CT = tensor(places.Membership(mean: true), [places.Candidates, places.Place_T.Length], dtype: ScalarType.Float64, device: hidden_Ud.device);
        var hidden_Td = hidden_Ud.index_select(0, tensor(places.Place_T, dtype: ScalarType.Int64, device: hidden_Ud.device)).to(ScalarType.Float64);
        return membership_CT.matmul(hidden_Td).to(ScalarType.Float32).cpu().data<float>().ToArray();
    }
}
