using System.Diagnostics;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>A value that substitutions still have to give: it lives between parser and resolver and is never handed out.</summary>
internal abstract class HoconUnresolved(HoconOrigin origin) : HoconValue(origin)
{
    public override HoconKind Kind => throw new UnreachableException("a value was used before it was resolved");

    internal override string Describe() => "a substitution";
}

/// <summary><c>${path}</c> or <c>${?path}</c>.</summary>
/// <param name="origin">Where it stands.</param>
/// <param name="place">The setting in whose value it stands.</param>
/// <param name="path">From the root of the whole configuration.</param>
/// <param name="optional">Written with <c>?</c>.</param>
/// <param name="prefixLength">How many elements the place of inclusions put in front of the path as it was written.</param>
/// <param name="previousOnly">The hidden half of <c>+=</c>: it means the field's own earlier value and nothing outside it.</param>
internal sealed class HoconReference(
    HoconOrigin origin, HoconPlace place, HoconPath path, bool optional, int prefixLength, bool previousOnly = false) : HoconUnresolved(origin)
{
    public HoconPlace Place => place;

    public HoconPath Path => path;

    public bool Optional => optional;

    public int PrefixLength => prefixLength;

    public bool PreviousOnly => previousOnly;

    public override string ToString() => $"${{{(optional ? "?" : "")}{path.Skip(prefixLength)}}}";
}

/// <summary>A part of a concatenation: a value, or the white space between two.</summary>
internal readonly record struct HoconPiece(HoconValue? Value, string Space);

/// <summary>Values side by side, at least one of them a substitution (spec: "Value concatenation").</summary>
internal sealed class HoconConcatenation(HoconOrigin origin, HoconPlace place, IReadOnlyList<HoconPiece> pieces) : HoconUnresolved(origin)
{
    public HoconPlace Place => place;

    public IReadOnlyList<HoconPiece> Pieces => pieces;
}

/// <summary>
/// Two values of one field, the later one on top, that cannot be merged before substitutions are resolved. What lies below also serves the
/// substitutions on top that point back at the field (spec: "Self-Referential Substitutions").
/// </summary>
internal sealed class HoconOverlay(HoconValue top, HoconValue below) : HoconUnresolved(top.Origin)
{
    public HoconValue Top => top;

    public HoconValue Below => below;
}
