namespace MassDpo.Shared.Settings.Hocon;

/// <summary>
/// Puts values in the place of substitutions (spec: "Substitutions"), as late and as little as possible: a value's head (a scalar, or a list or
/// object whose parts are still open) is found before its parts are, so that objects may refer into themselves and each other. Every head is found
/// once.
///
/// A substitution looks forward, at the final value of its path. Where that value is the very one being resolved, a cycle, it looks back at what
/// lies below it in that field; where nothing does, it is undefined. In cycles through several fields the outcome hangs on which of them is resolved
/// first; here that is the order of the document.
/// </summary>
internal sealed class HoconResolver(HoconValue root, Func<string, string?> environment)
{
    private readonly Dictionary<HoconValue, HoconValue?> _heads = [];
    private readonly Dictionary<HoconValue, Activity> _active = [];
    private readonly List<HoconReference> _references = [];
    private readonly Dictionary<HoconValue, Settled> _settled = [];
    private readonly Dictionary<HoconValue, int> _settling = [];
    private readonly List<(string Key, int Index)> _trail = [];
    private int _cycles;
    private List<HoconReference> _cycle = [];
    private long _work;

    /// <param name="Below">An overlay whose lower half is being resolved.</param>
    /// <param name="References">How many substitutions were open when this value's turn came.</param>
    private readonly record struct Activity(bool Below, int References);

    /// <param name="Value">Without any substitution; null for an optional one that is undefined.</param>
    /// <param name="Height">Levels in it.</param>
    /// <param name="Size">Values in it, with repetitions.</param>
    private readonly record struct Settled(HoconValue? Value, int Height, long Size);

    /// <summary>The whole tree without substitutions; null when the root itself is undefined.</summary>
    public HoconValue Resolve() => Settle(root).Value!;

    private string Trail(int length) =>
        string.Concat(_trail.Take(length).Select((part, i) => part.Index >= 0 ? $"[{part.Index}]" : (i > 0 ? "." : "") + HoconPath.Render(part.Key)));

    private void Spend(long steps)
    {
        if ((_work += steps) > HoconLimits.Work)
            throw new HoconException(root.Origin, Trail(_trail.Count), $"found substitutions that take more than {HoconLimits.Work} steps to resolve",
                "refer to fewer or smaller values, and let no substitution lead to a block around it");
    }

    private Settled Settle(HoconValue open)
    {
        Spend(1);
        if (Head(open) is not { } head)
            return default;
        if (head is HoconScalar)
            return new Settled(head, 0, 1);
        if (!_settled.TryGetValue(head, out var settled))
        {
            if (_settling.TryGetValue(head, out var start))
                // Here a value contains itself. No looking back helps (spec: "unbreakable cycles"), but an optional substitution may be undefined.
                return open is HoconReference { Optional: true }
                    ? default
                    : throw Cycle(open, Trail(_trail.Count), $"{Trail(start)} → {Trail(_trail.Count)} → {Trail(start)}");
            LimitDepth(open, 0);
            _settling.Add(head, _trail.Count);
            settled = SettleParts(head);
            _settling.Remove(head);
            _settled.Add(head, settled);
        }
        LimitDepth(open, settled.Height);
        if (settled.Size > HoconLimits.Values)
            throw new HoconException(open.Origin, Trail(_trail.Count), $"found more than {HoconLimits.Values} values, repetitions included",
                "refer to fewer or smaller values, and let no substitution lead to a block around it");
        return settled;
    }

    /// <summary>Objects that are merged with what contains them grow at every look: there the limit is what ends it.</summary>
    private void LimitDepth(HoconValue open, int height)
    {
        if (_trail.Count + height > HoconLimits.Depth)
            throw new HoconException(open.Origin, Trail(_trail.Count), $"found values nested deeper than {HoconLimits.Depth} levels",
                "nest less deeply, and let no substitution lead to a block around it");
    }

    private Settled SettleParts(HoconValue head)
    {
        var (height, size) = (0, 1L);
        var items = new List<HoconValue>();
        if (head is HoconArray array)
        {
            for (var i = 0; i < array.Items.Count; i++)
                if (Part("", i, array.Items[i]) is { } item)
                    items.Add(item);
            return new Settled(new HoconArray(array.Origin, items), height, size);
        }
        var block = (HoconObject)head;
        var result = new HoconObject(block.Origin, block.HidesBelow);
        foreach (var (key, value) in block.Map)
            if (Part(key, -1, value) is { } field)
                result.Map[key] = field;
        return new Settled(result, height, size);

        HoconValue? Part(string key, int index, HoconValue open)
        {
            _trail.Add((key, index));
            var part = Settle(open);
            _trail.RemoveAt(_trail.Count - 1);
            height = Math.Max(height, part.Height + 1);
            size += part.Size;
            return part.Value;
        }
    }

    /// <summary>The value as far as it has to be known to go on: null where it is undefined.</summary>
    private HoconValue? Head(HoconValue open)
    {
        if (open is not HoconUnresolved)
            return open;
        if (_heads.TryGetValue(open, out var known))
            return known;
        if (_active.ContainsKey(open))
            return LookBack(open);
        if (_active.Count == HoconLimits.Chain)
            throw new HoconException(open.Origin, Trail(_trail.Count), $"found a chain of more than {HoconLimits.Chain} substitutions",
                "refer to a value directly");
        Spend(1);
        var cycles = _cycles;
        _active.Add(open, new Activity(Below: false, _references.Count));
        var head = open switch
        {
            HoconReference reference => HeadOf(reference),
            HoconConcatenation concatenation => HeadOf(concatenation),
            _ => HeadOf((HoconOverlay)open),
        };
        _active.Remove(open);
        // What is undefined only because it was met inside a cycle may be defined when looked at from outside.
        if (head is not null || cycles == _cycles)
            _heads[open] = head;
        return head;
    }

    private HoconValue? HeadOf(HoconReference reference)
    {
        var cycles = _cycles;
        _references.Add(reference);
        var path = reference.Path.Elements;
        var found = Find(path);
        if (!reference.PreviousOnly)
        {
            // Paths of an included file: from its own root, then from the root of the whole (spec: "Include semantics: substitution").
            path = [.. path.Skip(reference.PrefixLength)];
            if (found is null && reference.PrefixLength > 0)
                found = Find(path);
            var variable = string.Join('.', path);
            if (found is null && environment(variable) is { } text)
                found = new HoconScalar(new HoconOrigin($"environment variable {variable}"), HoconKind.String, text);
        }
        _references.RemoveAt(_references.Count - 1);
        if (found is null && !reference.Optional)
            throw cycles != _cycles
                ? Cycle(reference, reference.Place.Key, string.Join(" → ", _cycle.Prepend(_cycle[^1]).Select(step => step.Path.ToString())))
                : new HoconException(reference.Origin, reference.Place.Key, $"found {reference}, but no such setting and no environment variable",
                    $"set {reference.Path.Skip(reference.PrefixLength)}, or write ${{?…}} where it may be absent");
        return found;
    }

    private HoconValue? Find(IReadOnlyList<string> path)
    {
        var value = root;
        foreach (var element in path)
            if (Head(value) is not HoconObject block || !block.Map.TryGetValue(element, out value!))
                return null;
        return Head(value);
    }

    private HoconValue? HeadOf(HoconConcatenation concatenation)
    {
        var pieces = new List<HoconPiece>(concatenation.Pieces.Count);
        foreach (var piece in concatenation.Pieces)
            if (piece.Value is null)
                pieces.Add(piece);
            else if (Head(piece.Value) is { } head)
                pieces.Add(new HoconPiece(head, ""));
        return HoconMerge.Join(pieces, concatenation.Origin, concatenation.Place, Over, Spend);
    }

    private HoconValue? HeadOf(HoconOverlay overlay)
    {
        var top = Head(overlay.Top);
        if (top is not null && HoconMerge.Hides(top))
            return top;
        _active[overlay] = _active[overlay] with { Below = true };
        return OverIfAny(top, Head(overlay.Below));
    }

    private HoconValue? OverIfAny(HoconValue? top, HoconValue? below) => top is null ? below : below is null ? top : Over(top, below);

    /// <summary>
    /// As when parsing, but fields that are open in both stay as they are, one on the other: substitutions in them may point back at the stack that
    /// they are part of, so it must not be taken apart.
    /// </summary>
    private HoconValue Over(HoconValue top, HoconValue below)
    {
        if (HoconMerge.Hides(top))
            return top;
        if (top is not HoconObject upper || below is HoconUnresolved)
            return new HoconOverlay(top, below);
        Spend(upper.Map.Count + ((below as HoconObject)?.Map.Count ?? 0));
        return HoconMerge.Objects(upper, below, Over);
    }

    /// <summary>
    /// What the field of an active value held before the part of it that is being resolved. Overlays nest where objects were merged, so the way leads
    /// to the innermost active one; from there outwards, what lies below each counts. No recursion here: it would multiply with that of the chain.
    /// </summary>
    private HoconValue? LookBack(HoconValue open)
    {
        _cycles++;
        _cycle = _references.GetRange(_active[open].References, _references.Count - _active[open].References);
        Spend(_cycle.Count);
        var upper = new List<HoconOverlay>();
        for (var part = open; part is HoconOverlay overlay && _active.TryGetValue(overlay, out var activity);)
        {
            if (!activity.Below)
                upper.Add(overlay);
            part = activity.Below ? overlay.Below : overlay.Top;
        }
        HoconValue? earlier = null;
        for (var i = upper.Count - 1; i >= 0 && (earlier is null || !HoconMerge.Hides(earlier)); i--)
        {
            var activity = _active[upper[i]];
            _active[upper[i]] = activity with { Below = true };
            earlier = OverIfAny(earlier, Head(upper[i].Below));
            _active[upper[i]] = activity;
        }
        return earlier;
    }

    private static HoconException Cycle(HoconValue open, string key, string chain) =>
        new(open.Origin, key, $"found a cycle of substitutions, {chain}, that no earlier value ends",
            "write one of these values out, or write ${?…} where it may be absent");
}
