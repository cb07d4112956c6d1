using System.Collections.ObjectModel;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>The types a value can have: those of JSON (spec: "Unchanged from JSON").</summary>
public enum HoconKind
{
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

/// <summary>A resolved value with the place where it was written. Immutable. Typed reading: <c>AsString</c> and its siblings.</summary>
public abstract partial class HoconValue
{
    private protected HoconValue(HoconOrigin origin) => Origin = origin;

    public HoconOrigin Origin { get; }

    public abstract HoconKind Kind { get; }

    /// <summary>The value as text that this reader reads back to the same tree.</summary>
    public string Render(HoconFormat format = HoconFormat.Hocon, bool sortKeys = false) => HoconRenderer.Render(this, format, sortKeys);

    /// <summary>How messages name the value.</summary>
    internal abstract string Describe();

    /// <inheritdoc/>
    public override string ToString() => Describe();
}

/// <summary>A string, number, boolean or null, with the text as it was written (numbers keep their form: <c>1e5</c> stays <c>1e5</c>).</summary>
public sealed class HoconScalar : HoconValue
{
    internal HoconScalar(HoconOrigin origin, HoconKind kind, string text) : base(origin)
    {
        Kind = kind;
        Text = text;
    }

    public override HoconKind Kind { get; }

    /// <summary>A string's characters, or the number, <c>true</c>, <c>false</c> or <c>null</c> as written.</summary>
    public string Text { get; }

    /// <summary>What unquoted text means when it stands alone (spec: "Unquoted strings").</summary>
    internal static HoconScalar FromUnquoted(HoconOrigin origin, string text) => new(origin, text switch
    {
        "true" or "false" => HoconKind.Boolean,
        "null" => HoconKind.Null,
        _ => HoconNumber.IsNumber(text) ? HoconKind.Number : HoconKind.String,
    }, text);

    internal override string Describe() => Kind switch
    {
        HoconKind.String => $"the text {HoconRenderer.Shorten(Text)}",
        HoconKind.Number => $"the number {(Text.Length <= 60 ? Text : Text[..60] + "…")}",
        _ => Text,
    };
}

/// <summary>A list of values.</summary>
public sealed class HoconArray : HoconValue
{
    internal HoconArray(HoconOrigin origin, List<HoconValue> items) : base(origin) => List = items;

    public override HoconKind Kind => HoconKind.Array;

    public IReadOnlyList<HoconValue> Items => List;

    /// <summary>Mutable for the parser alone, which owns what it builds.</summary>
    internal List<HoconValue> List { get; }

    internal override string Describe() => Items.Count == 1 ? "a list of 1 value" : $"a list of {Items.Count} values";
}

/// <summary>A leaf of the tree: its full path in HOCON's path syntax and its value.</summary>
public readonly record struct HoconLeaf(string Path, HoconValue Value);

/// <summary>A block of settings in the order in which they first appeared. Typed reading by path: <c>GetString</c> and its siblings.</summary>
public sealed partial class HoconObject : HoconValue
{
    internal HoconObject(HoconOrigin origin, bool hidesBelow = false) : base(origin) => HidesBelow = hidesBelow;

    public override HoconKind Kind => HoconKind.Object;

    public IReadOnlyDictionary<string, HoconValue> Fields => new ReadOnlyDictionary<string, HoconValue>(Map);

    /// <summary>Mutable for the parser alone, which owns what it builds.</summary>
    internal OrderedDictionary<string, HoconValue> Map { get; } = [];

    /// <summary>
    /// A value that was no object stood between this one and what lies below it, so the two "never see each other" (spec: "Duplicate keys and object
    /// merging"). It has to be remembered for fallbacks that come later.
    /// </summary>
    internal bool HidesBelow { get; }

    /// <summary>This object's settings over those of <paramref name="fallback"/>, as if it had been written after it in one file.</summary>
    public HoconObject WithFallback(HoconObject fallback) => (HoconObject)HoconMerge.Over(this, fallback);

    /// <summary>Every leaf in order: scalars, lists as a whole, and objects without fields (so that nothing written goes unseen).</summary>
    public IEnumerable<HoconLeaf> Paths() => Leaves(this, HoconPath.Empty);

    internal override string Describe() => Map.Count == 1 ? "a block of 1 setting" : $"a block of {Map.Count} settings";

    private static IEnumerable<HoconLeaf> Leaves(HoconObject block, HoconPath path)
    {
        foreach (var (key, value) in block.Map)
        {
            var child = path.Append(key);
            if (value is HoconObject { Map.Count: > 0 } inner)
                foreach (var leaf in Leaves(inner, child))
                    yield return leaf;
            else
                yield return new HoconLeaf(child.ToString(), value);
        }
    }
}
