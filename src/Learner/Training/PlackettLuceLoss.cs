using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Learner.Training;

/// <summary>
/// Multi-negative DPO: the Plackett–Luce likelihood that the chosen response comes first (S-DPO, arXiv 2406.09215). With one negative it is DPO
/// (arXiv 2305.18290).
/// <para>L = log(1 + Σ_j e^{z_j}) = softplus(logsumexp_j z_j), z_j = β(Δ_j − Δ_w), Δ = log π − log π_ref. Its gradient in z_j is p_j.</para>
/// </summary>
public static class PlackettLuceLoss
{
    /// <summary>The loss of each record, finite for |z| up to 1e4 and beyond: no exponential is ever summed bare.</summary>
    /// <param name="z_NK">[N, K]; −∞ where a record has fewer negatives than K, but not all</param>
    /// <returns>[N], in nats</returns>
    public static Tensor Of(Tensor z_NK) => softplus(z_NK.logsumexp(1));
}
