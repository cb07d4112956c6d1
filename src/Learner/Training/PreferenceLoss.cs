using static TorchSharp.torch;

namespace MassDpo.Learner.Training;

/// <summary>What an update makes smaller.</summary>
public enum PreferenceLoss
{
    /// <summary>Plackett–Luce with any number of negatives, DPO with one: see <see cref="PlackettLuceLoss"/>.</summary>
    Pl,

    /// <summary>
    /// max(0, 1 − βh), h = Δ_w − Δ_l, of one negative (SLiC, arXiv 2305.10425, as TRL's <c>hinge</c>): see <see cref="HingeLoss"/>.
    /// </summary>
    Hinge,

    /// <summary>
    /// (h − 1/(2β))², h of log-ratios per token, of one negative (arXiv 2310.12036, as TRL's <c>ipo</c>): see <see cref="IpoLoss"/>.
    /// </summary>
    Ipo,
}

/// <summary>From log-ratios to losses.</summary>
public static class PreferenceLosses
{
    /// <summary>Whether a loss compares the chosen response with one other alone: neither paper has a form for several.</summary>
    public static bool IsOfPairs(this PreferenceLoss loss) => loss is PreferenceLoss.Hinge or PreferenceLoss.Ipo;

    /// <summary>Its name in settings.</summary>
    public static string Name(this PreferenceLoss loss) => loss.ToString().ToLowerInvariant();

    /// <param name="loss">which</param>
    /// <param name="beta">β</param>
    /// <param name="ratios_NK1">[N, K+1] Δ = log π − log π_ref, summed over a response's tokens, in nats; the chosen response's first</param>
    /// <param name="lengths_NK1">[N, K+1] tokens of each response</param>
    /// <param name="absent_NK">[N, K] −∞ where a record has fewer negatives than K, else 0</param>
    /// <returns>the loss of each record, [N], and z = β(Δ_j − Δ_w), [N, K]</returns>
    /// <exception cref="ArgumentException">several negatives for a loss of pairs</exception>
    public static (Tensor Losses_N, Tensor Z_NK) Of(PreferenceLoss loss, double beta, Tensor ratios_NK1, Tensor lengths_NK1, Tensor absent_NK)
    {
        var negatives = ratios_NK1.shape[1] - 1;
        if (loss.IsOfPairs() && negatives != 1)
            throw new ArgumentException($"the loss '{loss.Name()}' is of one negative, not of {negatives}", nameof(loss));
        var rewards_NK1 = ratios_NK1 * beta;
        var z_NK = rewards_NK1.narrow(1, 1, negatives) - rewards_NK1.narrow(1, 0, 1) + absent_NK;
        return (loss switch
        {
            PreferenceLoss.Hinge => HingeLoss.Of(z_NK),
            PreferenceLoss.Ipo => IpoLoss.Of(ratios_NK1 / lengths_NK1, beta),
            _ => PlackettLuceLoss.Of(z_NK),
        }, z_NK);
    }
}
