using System.Text;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>The two forms in which a tree can be written. Both are read back to the same tree.</summary>
public enum HoconFormat
{
    /// <summary>Blocks as <c>key { … }</c>, without braces at the root.</summary>
    Hocon,
    Json,
}

/// <summary>Writes a tree, two spaces to a level, a list of scalars on one line.</summary>
internal static class HoconRenderer
{
    public static string Render(HoconValue value, HoconFormat format, bool sortKeys)
    {
        var text = new StringBuilder();
        if (format == HoconFormat.Hocon && value is HoconObject root)
            Fields(root, 0);
        else
        {
            Value(value, 0);
            text.Append('\n');
        }
        return text.ToString();

        void Value(HoconValue part, int level)
        {
            switch (part)
            {
                case HoconScalar { Kind: HoconKind.String } scalar:
                    Quote(text, scalar.Text);
                    break;
                case HoconScalar scalar:
                    text.Append(scalar.Text);
                    break;
                case HoconArray array when array.Items.All(item => item is HoconScalar):
                    text.Append('[');
                    for (var i = 0; i < array.Items.Count; i++)
                    {
                        text.Append(i == 0 ? "" : ", ");
                        Value(array.Items[i], level);
                    }
                    text.Append(']');
                    break;
                case HoconArray array:
                    text.Append("[\n");
                    for (var i = 0; i < array.Items.Count; i++)
                    {
                        text.Append(' ', 2 * level + 2);
                        Value(array.Items[i], level + 1);
                        text.Append(format == HoconFormat.Json && i < array.Items.Count - 1 ? ",\n" : "\n");
                    }
                    text.Append(' ', 2 * level).Append(']');
                    break;
                case HoconObject { Map.Count: 0 }:
                    text.Append("{}");
                    break;
                case HoconObject block:
                    text.Append("{\n");
                    Fields(block, level + 1);
                    text.Append(' ', 2 * level).Append('}');
                    break;
            }
        }

        void Fields(HoconObject block, int level)
        {
            var fields = sortKeys ? block.Map.OrderBy(field => field.Key, StringComparer.Ordinal) : block.Map.AsEnumerable();
            var left = block.Map.Count;
            foreach (var (key, part) in fields)
            {
                text.Append(' ', 2 * level);
                if (format == HoconFormat.Json)
                {
                    Quote(text, key);
                    text.Append(": ");
                }
                else
                    text.Append(HoconPath.Render(key)).Append(part is HoconObject { Map.Count: > 0 } ? " " : " = ");
                Value(part, level);
                text.Append(--left > 0 && format == HoconFormat.Json ? ",\n" : "\n");
            }
        }
    }

    /// <summary>A JSON string.</summary>
    public static string Quote(string value)
    {
        var text = new StringBuilder();
        Quote(text, value);
        return text.ToString();
    }

    /// <summary>A JSON string for messages, cut where it is long.</summary>
    public static string Shorten(string value) => Quote(value.Length <= 60 ? value : value[..60] + "…");

    private static void Quote(StringBuilder text, string value)
    {
        text.Append('"');
        for (var i = 0; i < value.Length; i++)
        {
            var c = value[i];
            if (char.IsHighSurrogate(c) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]))
                text.Append(c).Append(value[++i]);
            else
                _ = c switch
                {
                    '"' => text.Append("\\\""),
                    '\\' => text.Append("\\\\"),
                    '\n' => text.Append("\\n"),
                    '\r' => text.Append("\\r"),
                    '\t' => text.Append("\\t"),
                    // Half a surrogate pair has no UTF-8; line separators and the like would break lines in logs.
                    _ when char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or '\ufeff' => text.Append($"\\u{(int)c:x4}"),
                    _ => text.Append(c),
                };
        }
        text.Append('"');
    }
}
