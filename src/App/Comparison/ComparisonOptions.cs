using System.Globalization;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.Policy.Scoring;
using MassDpo.Selection;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Comparison;

/// <summary>One way of choosing negatives that is compared with others.</summary>
/// <param name="Method">how</param>
/// <param name="Features">with which; null: those of the settings</param>
/// <param name="Negatives">k; for <c>all</c> it says nothing</param>
internal sealed record Arm(SelectionMethod Method, FeatureKind? Features, int Negatives)
{
    /// <summary>As <c>mass-3</c>, <c>mass:head-3</c>, <c>all</c>.</summary>
    public string FullName => Method == SelectionMethod.All ? "all" : string.Create(CultureInfo.InvariantCulture, $"{Method.Name()}{(Features is { } kind ? ":" + kind.Name() : "")}-{Negatives}");

    /// <summary>Its features, made as others are. A sketch is left out where there is nothing to sketch.</summary>
    public FeatureForm FeaturesFrom(FeatureForm form) => Features is { } kind ? form with { Kind = kind, Sketch = kind.AreOfMatrices() ? form.Sketch : 0 } : form;

    /// <summary>Reads a method, or a method that needs features and these after a colon; null where it is none.</summary>
    public static (SelectionMethod Method, FeatureKind? Features)? Parse(string text)
    {
        var parts = text.Split(':');
        if (!SelectionMethods.ByName.TryGetValue(parts[0], out var method))
            return null;
        if (parts.Length == 1)
            return (method, null);
        return parts.Length == 2 && method.NeedsFeatures() && FeatureKinds.ByName.TryGetValue(parts[1], out var kind) ? (method, kind) : null;
    }
}

/// <summary>What a comparison is set to.</summary>
/// <param name="Arms">at least one</param>
/// <param name="Baseline">the method that the others are compared with, at the same number of negatives</param>
/// <param name="Seeds">runs of each arm, with seeds 1 to this</param>
/// <param name="Points">times that a policy is measured on its way, evenly apart; the last is the end</param>
/// <param name="Sample">records on which choices are compared with the best ones; 0: none</param>
/// <param name="Jobs">runs at a time</param>
internal sealed record ComparisonOptions(IReadOnlyList<Arm> Arms, SelectionMethod Baseline, int Seeds, int Points, int Sample, int Jobs)
{
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static ComparisonOptions From(EffectiveSettings settings)
    {
        var methods = List(settings, "compare.selectors", Arm.Parse,
            $"one or more of {string.Join(", ", SelectionMethods.ByName.Keys)}, with commas between them; features may follow, as in mass:head");
        var negatives = List(settings, "compare.negatives", text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var k) && k is >= 1 and <= 1 << 16 ? k : (int?)null,
            "one or more numbers from 1, with commas between them");
        var arms = methods.SelectMany(method => (method.Method == SelectionMethod.All ? negatives.Take(1) : negatives).Select(k => new Arm(method.Method, method.Features, k))).ToList();
        return new ComparisonOptions(arms,
            settings.Choice("compare.baseline", SelectionMethods.ByName),
            settings.Integer("compare.seeds", 1, 10_000), settings.Integer("compare.points", 1, 1000), settings.Integer("compare.sample", 0, 1 << 20),
            settings.Integer("compare.jobs", 1, 1024));
    }

    /// <summary>What an arm is compared with: the baseline with as many negatives, else the first of the baseline's; null for the baseline itself, or without one.</summary>
    public Arm? BaselineOf(Arm arm) => arm.Method == Baseline ? null
        : Arms.FirstOrDefault(other => other.Method == Baseline && (other.Negatives == arm.Negatives || other.Method == SelectionMethod.All))
            ?? Arms.FirstOrDefault(other => other.Method == Baseline);

    private static List<T> List<T>(EffectiveSettings settings, string key, Func<string, T?> parse, string remedy) where T : struct
    {
        var values = new List<T>();
        foreach (var part in settings.Text(key).Split(','))
        {
            if (parse(part.Trim()) is not { } value)
                throw settings.Outside(key, $"'{part.Trim()}'", $"give {remedy}");
            if (values.Contains(value))
                throw settings.Outside(key, $"'{part.Trim()}' twice", "name each once");
            values.Add(value);
        }
        return values;
    }
}

/// <summary>What a comparison is given.</summary>
/// <param name="Data">files of records, the same for all</param>
/// <param name="Policy">directory of the policy to start from; <c>{seed}</c> in it is the seed</param>
/// <param name="Evaluation">file to measure on</param>
/// <param name="Output">directory to write</param>
/// <param name="Comparison">arms and seeds</param>
/// <param name="Run">everything that all runs share</param>
/// <param name="EvaluationOptions">how they are measured</param>
/// <param name="Changed">settings that are not at their default, for the report</param>
internal sealed record ComparisonRequest(IReadOnlyList<string> Data, string Policy, string Evaluation, string Output, ComparisonOptions Comparison, RunOptions Run,
    EvaluationOptions EvaluationOptions, IReadOnlyList<KeyValuePair<string, string>> Changed)
{
    public string PolicyOf(int seed) => Policy.Replace("{seed}", seed.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
