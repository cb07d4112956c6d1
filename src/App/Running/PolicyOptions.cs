using MassDpo.Policy.Encoding;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Running;

/// <summary>How a policy is loaded.</summary>
public sealed record PolicyOptions
{
    /// <summary>How records become tokens.</summary>
    public EncodingOptions Encoding { get; init; } = EncodingOptions.Default;

    /// <summary>The adapter that stands on it, or is to be trained on it; null: none but its own.</summary>
    public LoraRequest? Lora { get; init; }

    /// <summary>Of memory while pools are scored.</summary>
    public ComputeLimits Limits { get; init; } = ComputeLimits.Default;

    /// <summary>In which type and on which device it is computed.</summary>
    public Placement Placement { get; init; } = Placement.Default;

    /// <summary>What settings say of one that is used and not trained.</summary>
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    internal static PolicyOptions From(EffectiveSettings settings) =>
        new() { Encoding = EncodingSettings.From(settings), Lora = LoraSettings.Named(settings), Limits = LimitsFrom(settings), Placement = PlacementSettings.From(settings) };

    /// <summary>What they say of memory alone.</summary>
    /// <exception cref="Shared.Settings.Hocon.HoconException">the value is malformed or outside its range</exception>
    private static ComputeLimits LimitsFrom(EffectiveSettings settings) => new(settings.Integer("runtime.token-budget", 1, 1 << 24));
}
