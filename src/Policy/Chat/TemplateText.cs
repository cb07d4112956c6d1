using System.Text;
using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Chat;

/// <summary>
/// A Jinja template as what it says, however it is written: white space inside of tags, the kind of quotes, escapes in texts, comments, white space that
/// is cut off around tags (as transformers sets it up: trim_blocks, lstrip_blocks), <c>a.b</c> for <c>a['b']</c>. It is read, never run.
/// </summary>
internal static class TemplateText
{
    /// <summary>The same hash for templates that say the same; null where a text is no template.</summary>
    public static string? HashOf(string template) => Canonical(template) is { } parts ? ContentHash.Of(parts) : null;

    private static string? Canonical(string template)
    {
        template = template.Replace("\r\n", "\n", StringComparison.Ordinal);
        // As Jinja does.
        if (template.EndsWith('\n'))
            template = template[..^1];
        var (canonical, data) = (new StringBuilder(), new StringBuilder());
        var (at, beginsLine) = (0, true);
        while (at < template.Length)
        {
            var (tag, kind) = NextTag(template, at);
            var before = template[at..tag];
            if (kind == '\0')
            {
                data.Append(before);
                break;
            }
            at = tag + 2;
            var sign = at < template.Length ? template[at] : ' ';
            if (sign is '-' or '+')
                at++;
            data.Append(sign == '-' ? before.TrimEnd() : kind != '{' && sign != '+' ? WithoutIndent(before, beginsLine) : before);
            if (kind == '#')
            {
                var end = template.IndexOf("#}", at, StringComparison.Ordinal);
                if (end < 0)
                    return null;
                (at, beginsLine) = AfterTag(template, end + 2, template[end - 1], cutsLineBreak: true);
                continue;
            }
            Flush(data, canonical);
            canonical.Append(Separator).Append(kind);
            var close = kind == '{' ? '}' : '%';
            if (ReadTag(template, at, close, canonical) is not { } closed)
                return null;
            (at, beginsLine) = AfterTag(template, closed.At, closed.Sign, cutsLineBreak: kind == '%');
            canonical.Append(Separator).Append(close);
        }
        Flush(data, canonical);
        return canonical.ToString();
    }

    private const char Separator = '\x1f';

    private static void Flush(StringBuilder data, StringBuilder canonical)
    {
        if (data.Length > 0)
            canonical.Append(Separator).Append("data ").Append(data);
        data.Clear();
    }

    // '{' of an expression, '%' of a statement, '#' of a comment.
    private static (int At, char Kind) NextTag(string template, int from)
    {
        for (var i = from; i + 1 < template.Length; i++)
            if (template[i] == '{' && template[i + 1] is '{' or '%' or '#')
                return (i, template[i + 1]);
        return (template.Length, '\0');
    }

    private static string WithoutIndent(string data, bool beginsLine)
    {
        var line = data.LastIndexOf('\n') + 1;
        return (line > 0 || beginsLine) && string.IsNullOrWhiteSpace(data[line..]) ? data[..line] : data;
    }

    private static (int At, bool BeginsLine) AfterTag(string template, int at, char sign, bool cutsLineBreak)
    {
        var start = at;
        if (sign == '-')
        {
            while (at < template.Length && char.IsWhiteSpace(template[at]))
                at++;
        }
        else if (cutsLineBreak && sign != '+' && at < template.Length && template[at] == '\n')
        {
            at++;
        }
        return (at, at > start && template[at - 1] == '\n');
    }

    // Up to and with the end of the tag.
    private static (int At, char Sign)? ReadTag(string template, int at, char close, StringBuilder canonical)
    {
        while (at < template.Length)
        {
            var character = template[at];
            if (char.IsWhiteSpace(character))
            {
                at++;
            }
            else if (Ends(at))
            {
                return (at + 2, ' ');
            }
            else if (character is '-' or '+' && Ends(at + 1))
            {
                return (at + 3, character);
            }
            else if (character is '\'' or '"')
            {
                canonical.Append(Separator).Append("text ");
                if (ReadText(template, at, canonical) is not { } end)
                    return null;
                at = end;
            }
            else if (character == '.' && at + 1 < template.Length && IsOfName(template[at + 1]))
            {
                var end = EndOfName(template, at + 1);
                canonical.Append(Separator).Append('[').Append(Separator).Append("text ").Append(template, at + 1, end - at - 1).Append(Separator).Append(']');
                at = end;
            }
            else
            {
                var end = IsOfName(character) ? EndOfName(template, at) : at + (IsOperator(template, at) ? 2 : 1);
                canonical.Append(Separator).Append(template, at, end - at);
                at = end;
            }
        }
        return null;

        bool Ends(int i) => i + 1 < template.Length && template[i] == close && template[i + 1] == '}';
    }

    private static bool IsOfName(char character) => char.IsLetterOrDigit(character) || character == '_';

    private static int EndOfName(string template, int at)
    {
        while (at < template.Length && IsOfName(template[at]))
            at++;
        return at;
    }

    private static bool IsOperator(string template, int at) =>
        at + 1 < template.Length && (template[at], template[at + 1]) is ('=', '=') or ('!', '=') or ('<', '=') or ('>', '=') or ('/', '/') or ('*', '*');

    private static int? ReadText(string template, int at, StringBuilder canonical)
    {
        var quote = template[at++];
        for (; at < template.Length; at++)
        {
            if (template[at] == quote)
                return at + 1;
            if (template[at] != '\\' || at + 1 == template.Length)
            {
                canonical.Append(template[at]);
                continue;
            }
            at++;
            switch (template[at])
            {
                case 'n':
                    canonical.Append('\n');
                    break;
                case 't':
                    canonical.Append('\t');
                    break;
                case '\\' or '\'' or '"':
                    canonical.Append(template[at]);
                    break;
                default:
                    canonical.Append('\\').Append(template[at]);
                    break;
            }
        }
        return null;
    }
}
