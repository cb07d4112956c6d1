using System.Globalization;
using MassDpo.Policy.Lora;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Running;

/// <summary>The settings of an adapter, <c>lora</c>.</summary>
internal static class LoraSettings
{
    /// <summary>What adapter a run trains; null: none.</summary>
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed, outside its range, or contradicts another</exception>
    public static LoraRequest? From(EffectiveSettings settings, long seed)
    {
        var rank = settings.Integer("lora.rank", 0, 1 << 14);
        var adapter = settings.Text("lora.adapter");
        var options = new LoraOptions
        {
            Rank = Math.Max(1, rank),
            Alpha = settings.Number("lora.alpha", 1e-6, 1e6),
            Dropout = settings.Number("lora.dropout", 0, 0.99),
            RankStabilised = settings.Flag("lora.rank-stabilised"),
            Targets = [.. settings.Text("lora.targets").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)],
            RankPattern = Pattern<int>(settings, "lora.rank-pattern", 1, number => (int)number == number ? (int)number : null),
            AlphaPattern = Pattern<double>(settings, "lora.alpha-pattern", 1e-6, number => number),
        };
        if (rank > 0 && adapter.Length > 0)
            throw settings.Outside("lora.adapter", $"'{adapter}' with lora.rank = {rank}", "an adapter that is there has a rank of its own: leave lora.rank at 0");
        if (rank > 0 && options.Targets.Count == 0)
            throw settings.Outside("lora.targets", "\"\"", "name the matrices that get an adapter");
        if ((rank > 0 || adapter.Length > 0) && settings.Number("reference.mix", 1e-6, 1) < 1 && settings.Long("reference.refresh", 0) > 0)
            throw settings.Outside("reference.mix", $"{settings.Text("reference.mix")} with an adapter", "a mixture of two adapters is none of the same rank: leave it at 1");
        return rank > 0 ? new LoraRequest(options, null, seed) : adapter.Length > 0 ? new LoraRequest(null, adapter, seed) : null;
    }

    /// <summary>The adapter on a policy that is used and not trained: the one that is named, and none is made.</summary>
    public static LoraRequest? Named(EffectiveSettings settings) => settings.Text("lora.adapter") is { Length: > 0 } adapter ? new LoraRequest(null, adapter, Seed: 0) : null;

    private static KeyValuePair<string, T>[] Pattern<T>(EffectiveSettings settings, string key, double least, Func<double, T?> read) where T : struct
    {
        var text = settings.Text(key);
        return [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(part =>
        {
            var at = part.LastIndexOf(' ');
            return at > 0 && double.TryParse(part.AsSpan(at + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= least && read(number) is { } value
                ? KeyValuePair.Create(part[..at].Trim(), value)
                : throw settings.Outside(key, $"'{part}'", "write a name and a number, as in down_proj 4, with commas between");
        })];
    }
}
