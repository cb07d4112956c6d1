using System.Globalization;
using System.Text;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>How two values of one field, and values side by side, become one. Only what is in place changes its arguments.</summary>
internal static class HoconMerge
{
    /// <summary>
    /// The later value <paramref name="top"/> over <paramref name="below"/>, both as parsed (spec: "Duplicate keys and object merging"): objects
    /// merge, anything else hides what is below, and what substitutions still have to give is kept as both. However a field's values are grouped,
    /// the same stack comes out: overlays lead downwards, neighbouring objects are one, and so are neighbouring <c>+=</c>.
    /// </summary>
    public static HoconValue Over(HoconValue top, HoconValue below)
    {
        if (Hides(top))
            return top;
        switch (top, below)
        {
            case (HoconOverlay, _):
                var parts = new Stack<HoconValue>();
                for (; top is HoconOverlay overlay; top = overlay.Below)
                    parts.Push(overlay.Top);
                return parts.Aggregate(Over(top, below), (lower, part) => Over(part, lower));
            case (HoconObject upper, HoconOverlay { Top: HoconObject lower } overlay):
                return new HoconOverlay(Objects(upper, lower, Over), overlay.Below);
            case (HoconObject upper, not HoconUnresolved):
                return Objects(upper, below, Over);
            default:
                return Append(top, below, inPlace: false) ?? new HoconOverlay(top, below);
        }
    }

    /// <summary>
    /// An object over a value that is no substitution, with the origin of the earlier object. <paramref name="over"/> merges fields that both have.
    /// </summary>
    public static HoconObject Objects(HoconObject upper, HoconValue below, Func<HoconValue, HoconValue, HoconValue> over)
    {
        var lower = below as HoconObject;
        var merged = new HoconObject(lower?.Origin ?? upper.Origin, hidesBelow: lower?.HidesBelow ?? true);
        foreach (var (key, value) in lower?.Map ?? [])
            merged.Map[key] = value;
        foreach (var (key, value) in upper.Map)
            merged.Map[key] = merged.Map.TryGetValue(key, out var earlier) ? over(value, earlier) : value;
        return merged;
    }

    /// <summary>Whether no value below can show through.</summary>
    public static bool Hides(HoconValue value)
    {
        while (value is HoconOverlay overlay)
            value = overlay.Below;
        return value is HoconScalar or HoconArray or HoconObject { HidesBelow: true };
    }

    /// <summary>Sets a field of an object that the parser is building.</summary>
    public static void Put(HoconObject target, string key, HoconValue value) =>
        target.Map[key] = target.Map.TryGetValue(key, out var earlier) ? OverInPlace(value, earlier) : value;

    /// <summary>
    /// As <see cref="Over"/>, for values that the parser is building: objects are merged into, and lists appended to, the earlier value. With copies, n
    /// lines for one block would cost n² steps.
    /// </summary>
    public static HoconValue OverInPlace(HoconValue top, HoconValue below)
    {
        if (top is not HoconObject { HidesBelow: false } upper || (below as HoconObject ?? (below as HoconOverlay)?.Top) is not HoconObject lower)
            return Append(top, below, inPlace: true) ?? Over(top, below);
        foreach (var (key, value) in upper.Map)
            Put(lower, key, value);
        return below;
    }

    /// <summary>
    /// The pieces of a concatenation as one value, null when there are none (spec: "Value concatenation"). White space counts between simple values
    /// and is ignored around lists and objects.
    /// </summary>
    /// <param name="pieces">No substitution among them.</param>
    /// <param name="origin">Where the concatenation stands.</param>
    /// <param name="place">The setting in whose value it stands.</param>
    /// <param name="over">How objects merge.</param>
    /// <param name="spend">Told how many characters and items were joined.</param>
    public static HoconValue? Join(
        IReadOnlyList<HoconPiece> pieces,
        HoconOrigin origin,
        HoconPlace place,
        Func<HoconValue, HoconValue, HoconValue> over,
        Action<long>? spend = null)
    {
        if (pieces.Count <= 1)
            return pieces.Count == 0 ? null : pieces[0].Value ?? new HoconScalar(origin, HoconKind.String, pieces[0].Space);
        var values = pieces.Where(piece => piece.Value is not null).Select(piece => piece.Value!).ToList();
        if (values.All(value => value is HoconScalar))
        {
            var text = new StringBuilder();
            foreach (var piece in pieces)
            {
                var part = piece.Value is HoconScalar scalar ? scalar.Text : piece.Space;
                spend?.Invoke(part.Length);
                text.Append(part);
            }
            return new HoconScalar(origin, HoconKind.String, text.ToString());
        }
        if (values.All(value => value is HoconObject))
            return values.Aggregate((earlier, later) => over(later, earlier));
        var items = new List<HoconValue>();
        var wantsArray = values.Any(value => value is HoconArray);
        foreach (var value in values)
        {
            var part = value is HoconArray array ? array.Items : value is HoconObject block && wantsArray ? NumberedItems(block) : null;
            if (part is null)
            {
                var other = values.First(v => value is HoconScalar ? v is not HoconScalar : v.Kind != value.Kind);
                throw new HoconException(origin, place.Key, $"found {value.Describe()} side by side with {other.Describe()}",
                    "join texts with texts, lists with lists and blocks with blocks; put a comma or a new line between separate values");
            }
            spend?.Invoke(part.Count);
            items.AddRange(part);
        }
        return new HoconArray(values[0].Origin, items);
    }

    /// <summary>
    /// The values of an object whose keys are whole numbers, in their order; null when it has no such key (spec: "Conversion of numerically-indexed
    /// objects to arrays").
    /// </summary>
    public static IReadOnlyList<HoconValue>? NumberedItems(HoconObject block)
    {
        var items = new List<(int Index, HoconValue Value)>();
        foreach (var (key, value) in block.Map)
            if (int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
                items.Add((index, value));
        return items.Count == 0 ? null : [.. items.OrderBy(item => item.Index).Select(item => item.Value)];
    }

    /// <summary>
    /// <c>+=</c> over a value that is known to end in a list; null for anything else. Without it a thousand <c>+=</c> would be a chain of a thousand
    /// substitutions.
    /// </summary>
    private static HoconValue? Append(HoconValue top, HoconValue below, bool inPlace)
    {
        if (top is not HoconConcatenation { Pieces: [{ Value: HoconReference { PreviousOnly: true } }, { Value: HoconArray added }] })
            return null;
        switch (below)
        {
            case HoconArray list:
                var longer = inPlace ? list : new HoconArray(list.Origin, [.. list.List]);
                longer.List.AddRange(added.List);
                return longer;
            case HoconConcatenation { Pieces: [.., { Value: HoconArray last }] } join:
                var end = Append(top, last, inPlace);
                return end == last ? join : new HoconConcatenation(join.Origin, join.Place, [.. join.Pieces.SkipLast(1), new HoconPiece(end, "")]);
            case HoconOverlay overlay when Append(top, overlay.Top, inPlace) is { } upper:
                return upper == overlay.Top ? overlay : new HoconOverlay(upper, overlay.Below);
            default:
                return null;
        }
    }
}
