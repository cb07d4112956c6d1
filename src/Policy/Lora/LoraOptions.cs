using System.Text.RegularExpressions;
using MassDpo.Policy.Model;

namespace MassDpo.Policy.Lora;

/// <summary>Which matrices of a policy an adapter adds to, and how much, as PEFT names it.</summary>
public sealed record LoraOptions
{
    /// <summary>r: rank of what is added to a matrix.</summary>
    public required int Rank { get; init; }

    /// <summary>What is added is scaled by alpha / r; with <see cref="RankStabilised"/> by alpha / √r.</summary>
    public required double Alpha { get; init; }

    /// <summary>Probability with which each input of an adapter is left out in training.</summary>
    public double Dropout { get; init; }

    /// <summary>Rank-stabilised scaling (rsLoRA, arXiv 2312.03732).</summary>
    public bool RankStabilised { get; init; }

    /// <summary>Names of matrices, as <c>q_proj</c> or <c>self_attn.q_proj</c>: any that is one of them or ends in a dot and one of them.</summary>
    public IReadOnlyList<string> Targets { get; init; } = [];

    /// <summary>A regular expression that whole names match, instead of <see cref="Targets"/>.</summary>
    public string? TargetPattern { get; init; }

    /// <summary>Other ranks than <see cref="Rank"/>, by a regular expression for the end of a name; the first that matches counts.</summary>
    public IReadOnlyList<KeyValuePair<string, int>> RankPattern { get; init; } = [];

    /// <summary>Other alphas than <see cref="Alpha"/>, likewise.</summary>
    public IReadOnlyList<KeyValuePair<string, double>> AlphaPattern { get; init; } = [];

    /// <summary>The matrices of a policy that it adds to, in order of layers: their names without <c>.weight</c>.</summary>
    /// <exception cref="PolicyFormatException">a target is none of the policy's matrices</exception>
    public IReadOnlyList<string> Modules(PolicyConfig config)
    {
        string[] all = [.. Enumerable.Range(0, config.Layers).SelectMany(layer => WeightNames.Projections.Select(part => WeightNames.Module(layer, part)))];
        if (Targets.FirstOrDefault(target => !Array.Exists(all, module => Names(target, module))) is { } stranger)
            throw new PolicyFormatException($"LoRA target '{stranger}' is none of the matrices that an adapter may add to: {string.Join(", ", WeightNames.Projections)}");
        string[] modules = [.. all.Where(IsTarget)];
        return modules.Length > 0 ? modules : throw new PolicyFormatException($"no matrix is a LoRA target: name some of {string.Join(", ", WeightNames.Projections)}");
    }

    /// <summary>The rank of what is added to a matrix.</summary>
    public int RankOf(string module) => First(RankPattern, module, Rank);

    /// <summary>s: what B·A is multiplied with.</summary>
    public double ScaleOf(string module)
    {
        var (alpha, rank) = (First(AlphaPattern, module, Alpha), RankOf(module));
        return alpha / (RankStabilised ? Math.Sqrt(rank) : rank);
    }

    private bool IsTarget(string module) => TargetPattern is null
        ? Targets.Any(target => Names(target, module))
        : Regex.IsMatch(module, $"^(?:{TargetPattern})$", RegexOptions.CultureInvariant);

    private static bool Names(string target, string module) => module == target || module.EndsWith("." + target, StringComparison.Ordinal);

    private static T First<T>(IReadOnlyList<KeyValuePair<string, T>> pattern, string module, T otherwise)
    {
        foreach (var (key, value) in pattern)
            if (Regex.IsMatch(module, $"^(?:.*\\.)?(?:{key})$", RegexOptions.CultureInvariant))
                return value;
        return otherwise;
    }
}
