using System.Globalization;
using System.Text;

namespace MassDpo.Shared.Settings.Hocon;

internal enum HoconTokenKind
{
    End,
    Newline,
    Comma,
    Colon,
    Equals,
    PlusEquals,
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Quoted,
    Unquoted,
    Substitution,
    OptionalSubstitution,
}

/// <param name="Kind">What it is.</param>
/// <param name="Text">The characters: unescaped for quoted strings, as written otherwise.</param>
/// <param name="Space">The white space before it on its line, which counts inside concatenations.</param>
/// <param name="Line">1-based, 0 for one-line sources.</param>
/// <param name="Column">1-based.</param>
internal readonly record struct HoconToken(HoconTokenKind Kind, string Text, string Space, int Line, int Column);

/// <summary>
/// Splits text into tokens (spec: "Comments", "Whitespace", "Unquoted strings", "Multi-line strings"). Numbers, booleans and null stay unquoted text:
/// whether they are such depends on what they are joined with, and a concatenation needs them as written.
/// </summary>
internal sealed class HoconTokenizer(string text, string name, int firstLine)
{
    private int _at;
    private int _line = firstLine;
    private int _lineStart;

    /// <summary>The key under which the parser is, for messages.</summary>
    public Func<string?> Key { get; set; } = () => null;

    public static bool IsWhiteSpace(char c) => c switch
    {
        '\t' or '\n' or '\v' or '\f' or '\r' or ' ' or '\u001c' or '\u001d' or '\u001e' or '\u001f' or '\ufeff' => true,
        < '\u00a0' => false,
        _ => char.GetUnicodeCategory(c) is UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator,
    };

    public HoconToken Next()
    {
        var spaceStart = _at;
        while (_at < text.Length && text[_at] != '\n' && IsWhiteSpace(text[_at]))
            _at++;
        var space = text[spaceStart.._at];
        if (AtComment(_at))
            while (_at < text.Length && text[_at] != '\n')
                _at++;
        if (_at == text.Length)
            return Token(HoconTokenKind.End, 0);
        switch (text[_at])
        {
            case '\n':
                var newline = Token(HoconTokenKind.Newline, 1);
                StartLine();
                return newline;
            case ',': return Token(HoconTokenKind.Comma, 1);
            case ':': return Token(HoconTokenKind.Colon, 1);
            case '=': return Token(HoconTokenKind.Equals, 1);
            case '{': return Token(HoconTokenKind.ObjectStart, 1);
            case '}': return Token(HoconTokenKind.ObjectEnd, 1);
            case '[': return Token(HoconTokenKind.ArrayStart, 1);
            case ']': return Token(HoconTokenKind.ArrayEnd, 1);
            case '"': return Quoted(space);
            case '+' when At(_at + 1) == '=': return Token(HoconTokenKind.PlusEquals, 2);
            case '$' when At(_at + 1) == '{' && At(_at + 2) == '?': return Token(HoconTokenKind.OptionalSubstitution, 3);
            case '$' when At(_at + 1) == '{': return Token(HoconTokenKind.Substitution, 2);
            default: return Unquoted(space);
        }

        HoconToken Token(HoconTokenKind kind, int length)
        {
            var token = new HoconToken(kind, text.Substring(_at, length), space, _line, _at - _lineStart + 1);
            _at += length;
            return token;
        }
    }

    public HoconOrigin Origin(HoconToken token) => new(name, token.Line, token.Column);

    public HoconException Error(HoconToken token, string found, string remedy) => new(Origin(token), Key(), found, remedy);

    public HoconException Unexpected(HoconToken token, string where, string remedy) => Error(token, $"found {Describe(token)} {where}", remedy);

    private static string Describe(HoconToken token) => token.Kind switch
    {
        HoconTokenKind.End => "the end of the text",
        HoconTokenKind.Newline => "the end of the line",
        HoconTokenKind.Quoted or HoconTokenKind.Unquoted => $"the text {HoconRenderer.Shorten(token.Text)}",
        _ => $"\"{token.Text}\"",
    };

    private char At(int index) => index < text.Length ? text[index] : '\0';

    private bool AtComment(int index) => At(index) == '#' || (At(index) == '/' && At(index + 1) == '/');

    private void StartLine()
    {
        _line++;
        _lineStart = _at;
    }

    private HoconException ErrorAt(int index, string found, string remedy) =>
        new(new HoconOrigin(name, _line, index - _lineStart + 1), Key(), found, remedy);

    private HoconToken Unquoted(string space)
    {
        var start = _at;
        if (text[start] is '-' or (>= '0' and <= '9'))
        {
            // Characters of numbers are read as one: the plus of an exponent is allowed there and nowhere else.
            var end = start + 1;
            while (At(end) is '.' or '-' or 'e' or 'E' or (>= '0' and <= '9') || (At(end) == '+' && text[end - 1] is 'e' or 'E'))
                end++;
            var run = text.AsSpan(start, end - start);
            if (HoconNumber.IsNumber(run))
                _at = end;
            else if (run.Contains('+'))
                throw ErrorAt(start, $"found {HoconRenderer.Shorten(run.ToString())}, which starts like a number and is none",
                    "quote it, or write a number as in JSON");
        }
        while (_at < text.Length && IsUnquoted(text[_at]) && !AtComment(_at))
            _at++;
        if (_at == start)
            throw text[start] == '$'
                ? ErrorAt(start, "found \"$\" without \"{\"", "write ${path} for a substitution, or quote the text")
                : ErrorAt(start, $"found {HoconRenderer.Shorten(text[start].ToString())}, which is reserved outside quotes", "quote the text");
        return new HoconToken(HoconTokenKind.Unquoted, text[start.._at], space, _line, start - _lineStart + 1);
    }

    private static bool IsUnquoted(char c) => !IsWhiteSpace(c) && !"$\"{}[]:=,+#`^?!@*&\\".Contains(c);

    private HoconToken Quoted(string space)
    {
        var (start, line, column) = (_at, _line, _at - _lineStart + 1);
        if (At(start + 1) == '"' && At(start + 2) == '"')
            return new HoconToken(HoconTokenKind.Quoted, TripleQuoted(), space, line, column);
        var value = new StringBuilder();
        for (_at++; ; _at++)
        {
            if (_at == text.Length || text[_at] == '\n')
                throw ErrorAt(start, "found a quoted text that does not end on its line",
                    "close it with \", or use \"\"\" around a text of several lines");
            var c = text[_at];
            if (c == '"')
                break;
            if (c < ' ')
                throw ErrorAt(_at, $"found the control character U+{(int)c:X4} in a quoted text", $"write it as \\u{(int)c:x4}");
            value.Append(c == '\\' ? Escaped() : c);
        }
        _at++;
        return new HoconToken(HoconTokenKind.Quoted, value.ToString(), space, line, column);
    }

    private char Escaped()
    {
        var escape = At(++_at);
        switch (escape)
        {
            case '"' or '\\' or '/': return escape;
            case 'b': return '\b';
            case 'f': return '\f';
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'u':
                if (_at + 4 < text.Length
                    && ushort.TryParse(text.AsSpan(_at + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
                {
                    _at += 4;
                    return (char)code;
                }
                throw ErrorAt(_at - 1, "found \\u without four hexadecimal digits", "write a character as \\u0041");
            default:
                throw ErrorAt(_at - 1, $"found the escape {HoconRenderer.Shorten("\\" + escape)}",
                    "use one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX, or \\\\ for a backslash");
        }
    }

    /// <summary>Everything up to the last quote of the first run of three or more: extra quotes belong to the text.</summary>
    private string TripleQuoted()
    {
        var start = _at + 3;
        var end = text.IndexOf("\"\"\"", start, StringComparison.Ordinal);
        if (end < 0)
            throw ErrorAt(_at, "found \"\"\" that is never closed", "close the text with \"\"\"");
        while (At(end + 3) == '"')
            end++;
        for (_at = start; _at < end;)
            if (text[_at++] == '\n')
                StartLine();
        _at = end + 3;
        return text[start..end];
    }
}
