using MassDpo.Shared.Settings;

namespace MassDpo.Learner.Checkpoints;

/// <summary>
/// What a run must go on with: the policy, the data and every setting that its results depend on, by name. A checkpoint keeps it. A setting that did not exist
/// when it was written is taken at its default: what is new begins as it was before.
/// </summary>
public sealed record RunIdentity(IReadOnlyDictionary<string, string> Values)
{
    /// <summary>What differs, one sentence each: key, then and now.</summary>
    public IReadOnlyList<string> DifferencesTo(RunIdentity now)
    {
        var differences = new List<string>();
        foreach (var key in Values.Keys.Union(now.Values.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var (before, after) = (Values.GetValueOrDefault(key) ?? Default(key), now.Values.GetValueOrDefault(key));
            if (before != after)
                differences.Add($"{key} was {before ?? "not set"} and is {after ?? "not set"}");
        }
        return differences;
    }

    private static string? Default(string key) => EffectiveSettings.Documented.Any(setting => setting.Path == key) ? EffectiveSettings.Reference.GetString(key) : null;
}

/// <summary>A run cannot go on from what its directory holds; the message names what and the remedy.</summary>
public sealed class ResumeRefusedException(string message) : Exception(message);
