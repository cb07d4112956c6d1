using System.Text;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>Where in the tree the parser is. It makes its key only when a message wants it: keys can be long and values many.</summary>
internal sealed record HoconPlace
{
    private HoconPlace? Parent { get; init; }

    /// <summary>The keys, or else the index, that lead here from the parent.</summary>
    private HoconPath? Keys { get; init; }

    private int Index { get; init; }

    public static HoconPlace Root { get; } = new();

    /// <summary>From the root of the configuration; null inside a list, where no path leads.</summary>
    public HoconPath? Path { get; init; } = HoconPath.Empty;

    /// <summary>Levels above.</summary>
    public int Depth { get; init; }

    /// <summary>The path of the include that this file was read for, empty for a file of its own, null for an include inside a list.</summary>
    public HoconPath? Prefix { get; init; } = HoconPath.Empty;

    /// <summary>The full key, with <c>[i]</c> for elements of lists.</summary>
    public string Key
    {
        get
        {
            var steps = new Stack<HoconPlace>();
            for (var place = this; place.Parent is not null; place = place.Parent)
                steps.Push(place);
            var key = new StringBuilder();
            foreach (var step in steps)
                _ = step.Keys is null ? key.Append($"[{step.Index}]") : key.Append(key.Length > 0 ? "." : "").Append(step.Keys);
            return key.ToString();
        }
    }

    public HoconPlace Field(HoconPath path) =>
        this with { Parent = this, Keys = path, Path = Path?.Append(path), Depth = Depth + path.Elements.Count };

    public HoconPlace Element(int index) => this with { Parent = this, Keys = null, Index = index, Path = null, Depth = Depth + 1 };

    /// <summary>The same place, for the element that <c>+=</c> adds to the list there.</summary>
    public HoconPlace AddedElement() => this with { Path = null, Depth = Depth + 1 };

    /// <summary>The same place, as the root of a file that is included there.</summary>
    public HoconPlace Included() => this with { Prefix = Path };
}
