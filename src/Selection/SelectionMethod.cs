namespace MassDpo.Selection;

/// <summary>How the negatives of a record are chosen.</summary>
public enum SelectionMethod
{
    /// <summary>Greedy log-determinant of the lower bound of the Plackett–Luce Fisher information (MASS-DPO, arXiv 2605.10784).</summary>
    Mass,
    /// <summary>Greedy log-determinant of the Fisher information of the very subset that is trained on.</summary>
    Exact,
    /// <summary>Uniformly (S-DPO, arXiv 2406.09215). Needs no scores.</summary>
    Random,
    /// <summary>The largest z.</summary>
    Hardest,
    /// <summary>The whole pool. Needs no scores.</summary>
    All,
}

/// <summary>What a method asks of the policy.</summary>
public static class SelectionMethods
{
    /// <summary>Whether the whole pool is scored with the policy before choosing.</summary>
    public static bool NeedsScores(this SelectionMethod method) => method is SelectionMethod.Mass or SelectionMethod.Exact or SelectionMethod.Hardest;

    /// <summary>Whether candidates need feature vectors.</summary>
    public static bool NeedsFeatures(this SelectionMethod method) => method is SelectionMethod.Mass or SelectionMethod.Exact;

    /// <summary>By their names in settings, events and reports.</summary>
    public static IReadOnlyDictionary<string, SelectionMethod> ByName { get; } = Enum.GetValues<SelectionMethod>().ToDictionary(Name);

    /// <summary>Its name in settings, events and reports.</summary>
    public static string Name(this SelectionMethod method) => method.ToString().ToLowerInvariant();
}
