using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Learner.Training;

/// <summary>
/// The hinge of SLiC (arXiv 2305.10425) on the implicit rewards, as TRL's <c>hinge</c>: max(0, 1 − β(Δ_w − Δ_l)) = max(0, 1 + z). A pair that is
/// apart by 1/β is learnt and gives no gradient any more.
/// </summary>
public static class HingeLoss
{
    /// <param name="z_N1">[N, 1] z = β(Δ_l − Δ_w)</param>
    /// <returns>[N]</returns>
    public static Tensor Of(Tensor z_N1) => relu(z_N1.select(1, 0) + 1);
}
