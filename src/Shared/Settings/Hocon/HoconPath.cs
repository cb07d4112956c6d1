using System.Text;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>A path through the tree, one key per element (spec: "Path expressions").</summary>
internal sealed class HoconPath(IReadOnlyList<string> elements)
{
    public static readonly HoconPath Empty = new([]);

    public IReadOnlyList<string> Elements { get; } = elements;

    public HoconPath Append(string element) => new([.. Elements, element]);

    public HoconPath Append(HoconPath path) => new([.. Elements, .. path.Elements]);

    public HoconPath Skip(int count) => new([.. Elements.Skip(count)]);

    /// <summary>The path that a getter was given.</summary>
    public static HoconPath Parse(string path)
    {
        var tokenizer = new HoconTokenizer(path, "path", firstLine: 0) { Key = () => path };
        var token = tokenizer.Next();
        var parsed = Read(ref token, tokenizer);
        if (token.Kind != HoconTokenKind.End)
            throw tokenizer.Unexpected(token, "in a path", "quote what is no plain text");
        return parsed;
    }

    /// <summary>
    /// Reads the path that starts at <paramref name="token"/> and leaves the token after it. Dots outside quotes separate, white space between parts
    /// belongs to the element, numbers are text.
    /// </summary>
    public static HoconPath Read(ref HoconToken token, HoconTokenizer tokenizer)
    {
        if (token.Kind is not (HoconTokenKind.Quoted or HoconTokenKind.Unquoted))
            throw tokenizer.Unexpected(token, "where a key is wanted", "write a key; quote it where it is no plain text");
        var start = token;
        var elements = new List<string>();
        var element = new StringBuilder();
        var quoted = false;
        for (var first = true; token.Kind is HoconTokenKind.Quoted or HoconTokenKind.Unquoted; first = false, token = tokenizer.Next())
        {
            if (!first)
                element.Append(token.Space);
            if (token.Kind == HoconTokenKind.Quoted)
            {
                quoted = true;
                element.Append(token.Text);
                continue;
            }
            var parts = token.Text.Split('.');
            for (var i = 0; i < parts.Length; i++)
            {
                if (i > 0)
                    End();
                element.Append(parts[i]);
            }
        }
        End();
        return new HoconPath(elements);

        void End()
        {
            if (element.Length == 0 && !quoted)
                throw tokenizer.Error(start, "found a path with an empty element: a dot at its start, at its end or after another dot",
                    "remove the dot, or write \"\" for an empty key");
            elements.Add(element.ToString());
            element.Clear();
            quoted = false;
        }
    }

    /// <summary>One element as it has to be written in a path or as a key.</summary>
    public static string Render(string element) =>
        element.Length > 0 && element != "include" && element.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
            ? element
            : HoconRenderer.Quote(element);

    public override string ToString() => string.Join('.', Elements.Select(Render));
}
