using MassDpo.Policy.Scoring;
using MassDpo.Selection.Kernels;

namespace MassDpo.Selection;

/// <summary>How a selector chooses.</summary>
/// <param name="Method">the objective</param>
/// <param name="Kernel">k, β, the ridge and the caps</param>
/// <param name="Seed">of what is drawn at random, together with the slot</param>
/// <param name="MetricsSample">share of records whose whole pool is scored for metrics alone, where the method does not score it</param>
/// <param name="EffectiveRank">whether events tell the effective rank of the pool: it costs n²d/2 multiplications</param>
/// <param name="IncludeMeta">whether events carry the record's <c>meta</c></param>
public sealed record SelectionOptions(SelectionMethod Method, KernelOptions Kernel, long Seed, double MetricsSample, bool EffectiveRank,
    bool IncludeMeta)
{
    /// <summary>
    /// What <c>mass</c> and <c>exact</c> compare candidates by; without a word the gradient with respect to the last hidden states.
    /// </summary>
    public FeatureForm Features { get; init; }
}
