using static TorchSharp.torch;

namespace MassDpo.Learner.Training;

/// <summary>
/// IPO (arXiv 2310.12036, equation 17), as TRL's <c>ipo</c>: (h − 1/(2β))², h the difference of the log-ratios per token. It pulls the difference to
/// 1/(2β) and no further.
/// </summary>
public static class IpoLoss
{
    /// <param name="ratios_N2">[N, 2] Δ per token of the chosen and of the rejected response</param>
    /// <param name="beta">β</param>
    /// <returns>[N]</returns>
    public static Tensor Of(Tensor ratios_N2, double beta) => (ratios_N2.select(1, 0) - ratios_N2.select(1, 1) - 1 / (2 * beta)).square();
}
