using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// Inner products of the gradients of log π(y|x) with respect to the output matrix, g = Σ_t (e_{y_t} − π_t) h_tᵀ, without a matrix of |V|×d:
/// ⟨g, g'⟩ = Σ_{t,t'} (h_t·h_t')·((e_{y_t} − π_t)·(e_{y_t'} − π_t')). Where embedding and output are tied it is the output's part of the gradient. It
/// takes U²(|V| + d) multiplications for one pool, U its predicting places.
/// </summary>
internal static class HeadGram
{
    /// <summary>
    /// The products in float64, so that the matrix is positive semidefinite to rounding: [C × C], row-major.
    /// </summary>
    /// <param name="head">of the pool</param>
    /// <param name="places">of the pool</param>
    /// <param name="whole">
    /// whether the gradients are whole. If not, π_0 h_0ᵀ is left out, which the first place adds to all candidates' alike: differences are the same,
    /// with fewer digits cancelled
    /// </param>
    public static double[] Of(PoolHead head, PoolPlaces places, bool whole)
    {
        using var scope = NewDisposeScope();
        var device = head.Hidden_Ud.device;
        var own_U = ones(places.Places, dtype: ScalarType.Float64, device: device);
        if (!whole)
            own_U.narrow(0, 0, 1).zero_();
        var (place_T, token_T) = (tensor(places.Place_T, dtype: ScalarType.Int64, device: device), tensor(places.Token_T, dtype: ScalarType.Int64, device: device));
        var wide_Ud = head.Hidden_Ud.to(ScalarType.Float64);
        var hidden_TT = AtTokens(wide_Ud.matmul(wide_Ud.t()));
        // π_t[y_t']
        var cross_TT = (head.ProbabilitiesOf(token_T).to(ScalarType.Float64) * own_U.unsqueeze(1)).index_select(0, place_T);
        var same_TT = token_T.unsqueeze(1).eq(token_T.unsqueeze(0)).to(ScalarType.Float64);
        var errors_TT = same_TT - cross_TT - cross_TT.t() + AtTokens(Products(head, own_U));
        var membership_CT = tensor(places.Membership(mean: false), [places.Candidates, places.Token_T.Length], dtype: ScalarType.Float64, device: device);
        return membership_CT.matmul(hidden_TT * errors_TT).matmul(membership_CT.t()).cpu().data<double>().ToArray();

        Tensor AtTokens(Tensor of_UU) => of_UU.index_select(0, place_T).index_select(1, place_T);
    }

    // π_u·π_u'
    private static Tensor Products(PoolHead head, Tensor own_U)
    {
        var products_UU = zeros([own_U.shape[0], own_U.shape[0]], dtype: ScalarType.Float64, device: own_U.device);
        head.ForProbabilities(probabilities_Uv =>
        {
            var wide_Uv = probabilities_Uv.to(ScalarType.Float64) * own_U.unsqueeze(1);
            products_UU.add_(wide_Uv.matmul(wide_Uv.t()));
        });
        return products_UU;
    }
}
