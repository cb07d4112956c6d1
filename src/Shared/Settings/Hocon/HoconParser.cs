namespace MassDpo.Shared.Settings.Hocon;

/// <summary>
/// Builds the tree of one text, substitutions left open (spec: "Syntax"). Fields are merged as they come, and included files are read into the object
/// in which their include stands, so that order alone decides.
/// </summary>
internal sealed class HoconParser
{
    private readonly HoconTokenizer _tokenizer;
    private readonly HoconFiles? _files;
    private HoconToken _token;
    private HoconPlace _place = HoconPlace.Root;

    /// <param name="tokenizer">The text.</param>
    /// <param name="files">Reads included files; null where an include has no place.</param>
    public HoconParser(HoconTokenizer tokenizer, HoconFiles? files)
    {
        _tokenizer = tokenizer;
        _files = files;
        tokenizer.Key = () => _place.Key;
        _token = tokenizer.Next();
    }

    /// <summary>The whole text (spec: "Omit root braces").</summary>
    public HoconValue ParseRoot(HoconPlace place)
    {
        Enter(place);
        var root = new HoconObject(_tokenizer.Origin(_token));
        SkipNewlines();
        switch (_token.Kind)
        {
            case HoconTokenKind.ArrayStart:
                var array = ParseArray(place);
                ExpectEnd("]");
                return array;
            case HoconTokenKind.ObjectStart:
                root = ParseObject(place);
                ExpectEnd("}");
                return root;
            default:
                ParseFields(root, place, HoconTokenKind.End, _token);
                return root;
        }
    }

    /// <summary>One <c>key=value</c> of a command line.</summary>
    public HoconObject ParseAssignment()
    {
        var root = new HoconObject(_tokenizer.Origin(_token));
        ParseField(root, _place);
        if (_token.Kind != HoconTokenKind.End)
            throw Unexpected("after the value", "give one key=value at a time, and quote a value that is no plain text, as in key=\"a, b\"");
        return root;
    }

    /// <summary>The value alone, as after <c>=</c>.</summary>
    public HoconValue ParseLoneValue(HoconPlace place)
    {
        Enter(place);
        var value = ParseValue(place);
        SkipNewlines();
        return _token.Kind == HoconTokenKind.End ? value : throw Unexpected("after the value", "give one value");
    }

    private void Next() => _token = _tokenizer.Next();

    private void SkipNewlines()
    {
        while (_token.Kind == HoconTokenKind.Newline)
            Next();
    }

    private HoconException Unexpected(string where, string remedy) => _tokenizer.Unexpected(_token, where, remedy);

    private void Enter(HoconPlace place)
    {
        _place = place;
        if (place.Depth > HoconLimits.Depth)
            throw _tokenizer.Error(_token, $"found values nested deeper than {HoconLimits.Depth} levels", "nest less deeply");
    }

    private void ExpectEnd(string close)
    {
        SkipNewlines();
        if (_token.Kind != HoconTokenKind.End)
            throw Unexpected($"after the \"{close}\" that closes the file", "remove it, or the braces around the rest");
    }

    private HoconObject ParseObject(HoconPlace place)
    {
        var open = _token;
        var target = new HoconObject(_tokenizer.Origin(open));
        Next();
        ParseFields(target, place, HoconTokenKind.ObjectEnd, open);
        Next();
        return target;
    }

    private HoconArray ParseArray(HoconPlace place)
    {
        var open = _token;
        var items = new List<HoconValue>();
        Next();
        SkipNewlines();
        while (_token.Kind != HoconTokenKind.ArrayEnd)
        {
            var element = place.Element(items.Count);
            Enter(element);
            items.Add(ParseValue(element));
            _place = place;
            ParseSeparator(HoconTokenKind.ArrayEnd, open);
        }
        Next();
        return new HoconArray(_tokenizer.Origin(open), items);
    }

    private void ParseFields(HoconObject target, HoconPlace place, HoconTokenKind close, HoconToken open)
    {
        SkipNewlines();
        while (_token.Kind != close)
        {
            if (_token is { Kind: HoconTokenKind.Unquoted, Text: "include" })
                ParseInclude(target, place);
            else
                ParseField(target, place);
            _place = place;
            ParseSeparator(close, open);
        }
    }

    /// <summary>Spec: "Commas". Leaves the next element, or the close, as the token.</summary>
    private void ParseSeparator(HoconTokenKind close, HoconToken open)
    {
        var separated = _token.Kind is HoconTokenKind.Newline or HoconTokenKind.Comma;
        SkipNewlines();
        if (_token.Kind == HoconTokenKind.Comma)
        {
            Next();
            SkipNewlines();
        }
        if (_token.Kind == close)
            return;
        if (_token.Kind == HoconTokenKind.End)
            throw _tokenizer.Error(open, $"found \"{open.Text}\" that is never closed", $"close it with \"{(open.Text == "[" ? ']' : '}')}\"");
        if (_token.Kind == HoconTokenKind.Comma)
            throw Unexpected("after another comma", "write one comma, or a value between them");
        if (_token.Kind is HoconTokenKind.ObjectEnd or HoconTokenKind.ArrayEnd)
            throw Unexpected("that closes nothing", "remove it, or open what it closes");
        if (!separated)
            throw Unexpected("right after a value", "put a comma or a new line between values, or quote the text");
    }

    private void ParseField(HoconObject target, HoconPlace place)
    {
        var start = _token;
        if (start.Kind == HoconTokenKind.End)
            throw Unexpected("where a key is wanted", "write key=value");
        var path = HoconPath.Read(ref _token, _tokenizer);
        var field = place.Field(path);
        Enter(field);
        SkipNewlines();
        var append = _token.Kind == HoconTokenKind.PlusEquals;
        if (append || _token.Kind is HoconTokenKind.Colon or HoconTokenKind.Equals)
        {
            Next();
            SkipNewlines();
        }
        else if (_token.Kind is HoconTokenKind.Substitution or HoconTokenKind.OptionalSubstitution)
            throw Unexpected("in a key", "write the key out: substitutions stand in values only");
        else if (_token.Kind != HoconTokenKind.ObjectStart)
            throw Unexpected("after the key", "write \"=\" and a value, or a block in braces");
        var value = append ? Appended(start, field) : ParseValue(field);
        // A path is a block for each element but the last (spec: "Paths as keys").
        for (var i = path.Elements.Count - 1; i > 0; i--)
        {
            var block = new HoconObject(_tokenizer.Origin(start));
            block.Map[path.Elements[i]] = value;
            value = block;
        }
        HoconMerge.Put(target, path.Elements[0], value);
    }

    /// <summary><c>a += b</c> is <c>a = ${?a} [b]</c> (spec: "The += field separator").</summary>
    private HoconConcatenation Appended(HoconToken start, HoconPlace field)
    {
        if (field.Path is null)
            throw _tokenizer.Error(start, "found += in a block inside a list, where no path leads to the earlier value",
                "write the whole list with \"=\"");
        var element = ParseValue(field.AddedElement());
        var origin = _tokenizer.Origin(start);
        var earlier = new HoconReference(origin, field, field.Path, optional: true, prefixLength: 0, previousOnly: true);
        var added = new HoconArray(element.Origin, [element]);
        return new HoconConcatenation(origin, field, [new HoconPiece(earlier, ""), new HoconPiece(added, "")]);
    }

    /// <summary>Everything up to the end of the line, a comma or a close, joined (spec: "Value concatenation").</summary>
    private HoconValue ParseValue(HoconPlace place)
    {
        var start = _token;
        var pieces = new List<HoconPiece>();
        while (_token.Kind is not (HoconTokenKind.Newline or HoconTokenKind.Comma
            or HoconTokenKind.ObjectEnd or HoconTokenKind.ArrayEnd or HoconTokenKind.End))
        {
            if (pieces.Count > 0 && _token.Space.Length > 0)
                pieces.Add(new HoconPiece(null, _token.Space));
            pieces.Add(new HoconPiece(ParsePiece(place), ""));
            _place = place;
        }
        if (pieces.Count == 0)
            throw Unexpected("where a value is wanted", "write a value, \"\" for an empty text");
        var origin = _tokenizer.Origin(start);
        if (pieces.Exists(piece => piece.Value is HoconUnresolved))
            return pieces.Count == 1 ? pieces[0].Value! : new HoconConcatenation(origin, place, pieces);
        return HoconMerge.Join(pieces, origin, place, HoconMerge.OverInPlace)!;
    }

    private HoconValue ParsePiece(HoconPlace place)
    {
        var origin = _tokenizer.Origin(_token);
        var text = _token.Text;
        switch (_token.Kind)
        {
            case HoconTokenKind.ObjectStart:
                // The depth of a field counts from its key, that of an element from its place, so a block adds nothing.
                return ParseObject(place);
            case HoconTokenKind.ArrayStart:
                return ParseArray(place);
            case HoconTokenKind.Quoted:
                Next();
                return new HoconScalar(origin, HoconKind.String, text);
            case HoconTokenKind.Unquoted:
                Next();
                return HoconScalar.FromUnquoted(origin, text);
            case HoconTokenKind.Substitution or HoconTokenKind.OptionalSubstitution:
                return ParseSubstitution(place, origin, optional: _token.Kind == HoconTokenKind.OptionalSubstitution);
            default:
                throw Unexpected("in a value", "quote the text, or put a comma or a new line before the next key");
        }
    }

    private HoconReference ParseSubstitution(HoconPlace place, HoconOrigin origin, bool optional)
    {
        Next();
        var path = HoconPath.Read(ref _token, _tokenizer);
        if (_token.Kind != HoconTokenKind.ObjectEnd)
            throw Unexpected("in a substitution", "close it with \"}\" on its line, and quote special characters in its path");
        if (place.Prefix is not { } prefix)
            throw _tokenizer.Error(_token, $"found the substitution {path} in a file that is included inside a list, where its paths lead nowhere",
                "include the file outside the list, or write the value out");
        Next();
        return new HoconReference(origin, place, prefix.Append(path), optional, prefix.Elements.Count);
    }

    /// <summary>
    /// Spec: "Include syntax". <c>include "name"</c>, <c>include file("name")</c>, either inside <c>required(…)</c>; white space anywhere between.
    /// </summary>
    private void ParseInclude(HoconObject target, HoconPlace place)
    {
        const string remedy = "write include \"name\", include file(\"name\") or include required(file(\"name\")); quote the word where it is a key";
        var statement = _token;
        var call = "";
        for (Advance(); _token.Kind == HoconTokenKind.Unquoted && call.Length < 40; Advance())
            call += _token.Text;
        if (_token.Kind != HoconTokenKind.Quoted)
            throw Unexpected($"after include{(call.Length == 0 ? "" : " " + HoconRenderer.Shorten(call))}", remedy);
        var required = call.StartsWith("required(", StringComparison.Ordinal);
        var kind = required ? call["required(".Length..] : call;
        if (kind is "url(" or "classpath(")
            throw _tokenizer.Error(statement, $"found include {kind[..^1]}(), which is not supported",
                "put the settings in a file and write include file(\"name\")");
        if (kind is not ("" or "file("))
            throw _tokenizer.Error(statement, $"found include {HoconRenderer.Shorten(call)}", remedy);
        var name = _token.Text;
        Next();
        for (var open = call.Count(c => c == '('); open > 0; open -= _token.Text.Length, Next())
        {
            SkipNewlines();
            if (_token.Kind != HoconTokenKind.Unquoted || _token.Text.Length > open || _token.Text.Any(c => c != ')'))
                throw Unexpected("where include wants \")\"", remedy);
        }
        if (_files is null)
            throw _tokenizer.Error(statement, "found an include where no file can be included", "write the settings out");
        _files.Include(name, required, place, _tokenizer.Origin(statement), target);

        void Advance()
        {
            Next();
            SkipNewlines();
        }
    }
}
