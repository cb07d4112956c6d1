using System.Globalization;

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

    /// <summary>
    /// The gradient of log π(y|x) with respect to the matrices of the policy's adapter (LoRA, arXiv 2106.09685), s·Σ_t δ_t (A x_t)ᵀ for each B and
    /// s·Σ_t (Bᵀδ_t) x_tᵀ for each A, t over all places, x_t what goes into the adapted matrix and δ_t the gradient with respect to what comes out. It takes
    /// a way back through the policy.
    /// </summary>
    Lora,
}

/// <summary>What features are called.</summary>
public static class FeatureKinds
{
    /// <summary>By their names in settings, events and reports.</summary>
    public static IReadOnlyDictionary<string, FeatureKind> ByName { get; } = Enum.GetValues<FeatureKind>().ToDictionary(Name);

    /// <summary>Their name in settings, events and reports.</summary>
    public static string Name(this FeatureKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>Whether they are gradients of whole matrices: too many numbers to be written down, so that inner products or a sketch stand in for them.</summary>
    public static bool AreOfMatrices(this FeatureKind kind) => kind is FeatureKind.Head or FeatureKind.Lora;
}

/// <summary>Features as selection is to see them.</summary>
/// <param name="Kind">what they are</param>
/// <param name="UnitLength">whether each is divided by its length, before differences are taken</param>
public readonly record struct FeatureForm(FeatureKind Kind, bool UnitLength)
{
    /// <summary>
    /// Numbers of a random sketch (<see cref="KroneckerSketch"/>) that stands in for features of matrices; 0: their exact inner products.
    /// </summary>
    public int Sketch { get; init; }

    /// <summary>Of the sketch.</summary>
    public long Seed { get; init; }

    /// <summary>Whether a pool is given by inner products, not by vectors.</summary>
    public bool IsGram => Kind.AreOfMatrices() && Sketch == 0;

    /// <summary>Its name in events and reports: "head", "head, unit length", or "lora, sketch 512".</summary>
    public string Name => Kind.Name() + (Sketch > 0 ? string.Create(CultureInfo.InvariantCulture, $", sketch {Sketch}") : "") + (UnitLength ? ", unit length" : "");

    /// <summary>Numbers in a vector of features.</summary>
    /// <param name="hidden">d of the policy</param>
    public int SizeOf(int hidden) => Sketch > 0 ? Sketch : hidden;
}
