using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using static TorchSharp.torch;

namespace MassDpo.Learner.Training;

/// <summary>How the reference policy follows the policy.</summary>
/// <param name="Schedule">when</param>
/// <param name="Mix">α in (0, 1]: the new reference is α·policy + (1 − α)·reference; 1: a copy of the policy</param>
public sealed record ReferenceOptions(ReferenceSchedule Schedule, double Mix)
{
    /// <summary>It does not.</summary>
    public static ReferenceOptions Fixed { get; } = new(new ReferenceSchedule(0), 1);
}

/// <summary>
/// The reference policy of a run: what the run found, or, refreshed every so many versions, a copy of the policy or a mixture of the two (TR-DPO, arXiv
/// 2404.09656: hard and soft update).
/// </summary>
/// <param name="found">what the run found; not owned</param>
/// <param name="options">see there</param>
public sealed class MovingReference(SharedTensors found, ReferenceOptions options) : IDisposable
{
    private SharedTensors? _current;

    /// <summary>What it is now; null: what the run found.</summary>
    public SharedTensors? Current => _current;

    /// <summary>Of what it is now.</summary>
    public string Hash => (_current ?? found).Hash;

    /// <summary>Its weights by name, for a checkpoint; null: what the run found.</summary>
    public IReadOnlyDictionary<string, Tensor>? Weights => ((PolicyWeights?)_current?.Tensors)?.Tensors;

    /// <summary>Refreshes it, if that is due.</summary>
    /// <param name="version">that was just made</param>
    /// <param name="policy">of that version</param>
    /// <returns>whether it did</returns>
    public bool Refresh(long version, PolicyWeights policy)
    {
        if (!options.Schedule.IsDue(version))
            return false;
        using var _ = no_grad();
        var before = (PolicyWeights)(_current ?? found).Tensors;
        var after = policy.Copy();
        if (options.Mix < 1)
            foreach (var (name, own) in after.Tensors)
                own.mul_(options.Mix).add_(before.Tensors[name], 1 - options.Mix);
        after.Changed();
        Replace(after);
        return true;
    }

    /// <summary>Goes on from saved weights; null: from what the run found.</summary>
    /// <exception cref="InvalidDataException">they are of another policy</exception>
    public void Restore(IReadOnlyDictionary<string, Tensor>? weights) => Replace(weights is null ? null : ((PolicyWeights)found.Tensors).With(weights));

    public void Dispose() => Replace(null);

    private void Replace(PolicyWeights? weights)
    {
        _current?.Release();
        _current = weights is null ? null : new SharedTensors(weights);
    }
}
