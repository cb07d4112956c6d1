namespace MassDpo.Shared.Settings.Hocon;

/// <summary>Single settings from outside any file.</summary>
internal static class HoconOverrides
{
    public static HoconObject At(HoconPath path, HoconValue value)
    {
        foreach (var element in path.Elements.Reverse())
        {
            var block = new HoconObject(value.Origin);
            block.Map[element] = value;
            value = block;
        }
        return (HoconObject)value;
    }

    public static HoconObject FromVariable(HoconObject known, string name, string text, string prefix)
    {
        var origin = new HoconOrigin($"environment variable {name}");
        HoconValue setting = known;
        var path = HoconPath.Empty;
        foreach (var segment in name[prefix.Length..].Split("__"))
        {
            var keys = (setting as HoconObject)?.Map.Keys ?? Enumerable.Empty<string>();
            var matches = keys.Where(key => Fold(key) == Fold(segment)).ToList();
            if (matches.Count != 1)
                throw new HoconException(origin, path.ToString(),
                    $"found {HoconRenderer.Shorten(segment)}, which names {(matches.Count == 0 ? "no setting" : "more than one setting")} there",
                    matches.Count > 0 ? $"set one of {List(matches)} in a file" : keys.Any() ? $"use one of {List(keys)}" : "leave it out");
            path = path.Append(matches[0]);
            setting = ((HoconObject)setting).Map[matches[0]];
        }
        var place = HoconPlace.Root.Field(path);
        var value = text is ['[' or '{' or '"', ..]
            ? new HoconParser(new HoconTokenizer(text, origin.Name, firstLine: 0), files: null).ParseLoneValue(place)
            : HoconScalar.FromUnquoted(origin, text);
        if (setting is HoconObject && value is HoconScalar)
            throw new HoconException(origin, place.Key, $"found {value.Describe()} for a block of settings",
                "name a setting in the block, with __ between the keys");
        return At(path, value);

        static string Fold(string key) => key.Replace('-', '_').ToUpperInvariant();

        static string List(IEnumerable<string> keys) => string.Join(", ", keys.Select(HoconPath.Render));
    }
}
