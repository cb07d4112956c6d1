namespace MassDpo.Policy.Scoring;

/// <summary>What φ(x, y) of a candidate y to a prompt x is: what selection compares candidates by.</summary>
public enum FeatureKind
{
    /// <summary>The gradient of log π(y|x) with respect to the last hidden states, Σ_t (W_{y_t} − E_{π_t}[W]): [d].</summary>
    Output,

    /// <summary>
    /// The gradient of log π(y|x) with respect to the output matrix, Σ_t (e_{y_t} − π_t) h_tᵀ: [|V|·d], so that only inner products are computed.
    /// </summary>
    Head,

    /// <summary>
    /// The mean of the last hidden states over the places that predict y: [d], the log-linear policy of MASS-DPO (arXiv 2605.10784) and ADPO
    /// (2503.01076). The same for all responses of one token; on text it has nothing to do with the gradient.
    /// </summary>
    Hidden,
}

/// <summary>What features are called.</summary>
public static class FeatureKinds
{
    /// <summary>By their names in settings, events and reports.</summary>
    public static IReadOnlyDictionary<string, FeatureKind> ByName { get; } = Enum.GetValues<FeatureKind>().ToDictionary(Name);

    /// <summary>Their name in settings, events and reports.</summary>
    public static string Name(this FeatureKind kind) => kind.ToString().ToLowerInvariant();
}

/// <summary>Features as selection is to see them.</summary>
/// <param name="Kind">what they are</param>
/// <param name="UnitLength">whether each is divided by its length, before differences are taken</param>
public readonly record struct FeatureForm(FeatureKind Kind, bool UnitLength)
{
    /// <summary>Its name in events and reports: "head", or "head, unit length".</summary>
    public string Name => Kind.Name() + (UnitLength ? ", unit length" : "");
}
