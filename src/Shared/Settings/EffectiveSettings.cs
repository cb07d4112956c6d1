using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.Shared.Settings;

/// <summary>
/// All effective settings. Layers, each over the one before: <c>reference.conf</c>, a file, the environment, assignments, flags. A setting that
/// <c>reference.conf</c> does not have is an error; the blocks <c>akka</c> and <c>kafka.client</c> alone are handed on as they stand.
/// </summary>
public sealed class EffectiveSettings
{
    private static readonly string[] HandedOn = ["akka", "kafka.client"];

    // What only whoever uses it may read.
    private static readonly string[] Secret = ["watch.token"];

    /// <summary><c>reference.conf</c> as it stands, to lie beneath others.</summary>
    // Before what is made of it. Merging changes neither side, so one serves all.
    public static HoconDocument ReferenceDocument { get; } = LoadReference();

    private readonly HoconObject _values;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    private EffectiveSettings(HoconObject values) => _values = values;

    /// <summary>Every setting that there is, with its default.</summary>
    public static HoconObject Reference { get; } = ReferenceDocument.Resolve();

    /// <summary>Puts the layers together.</summary>
    /// <param name="file">a HOCON file; null: none</param>
    /// <param name="environment">variables; those that begin with <c>MASSDPO__</c> count</param>
    /// <param name="assignments"><c>key=value</c>, as after <c>--set</c></param>
    /// <param name="flags">key, value and the flag's name for messages</param>
    /// <param name="recipe">lies between the reference and the file; null: none</param>
    /// <exception cref="HoconException">a malformed value, or an unknown setting; the message has file, line and key</exception>
    public static EffectiveSettings Load(string? file, IEnumerable<KeyValuePair<string, string>> environment, IEnumerable<string> assignments,
        IEnumerable<(string Key, string Value, string Flag)> flags, HoconDocument? recipe = null)
    {
        var layers = new List<HoconDocument>();
        if (recipe is not null)
            layers.Add(recipe);
        if (file is not null)
            layers.Add(HoconDocument.Load(file));
        layers.Add(HoconDocument.FromEnvironment(Reference, environment));
        layers.AddRange(assignments.Select(assignment => HoconDocument.FromAssignment(assignment)));
        layers.AddRange(flags.Select(flag => HoconDocument.FromPlainText(flag.Key, flag.Value, flag.Flag)));
        var merged = layers.Aggregate(ReferenceDocument, (below, layer) => layer.WithFallback(below));
        var values = merged.Resolve();
        foreach (var (path, value) in values.Paths())
            Check(path, value);
        return new EffectiveSettings(values);
    }

    /// <summary>The settings read so far.</summary>
    public IReadOnlySet<string> Read => _read;

    /// <summary>A block that is handed on: its values as text by their names below it, in order. A name is what its keys are with dots between, in quotes or not.</summary>
    /// <exception cref="HoconException">it holds a list</exception>
    public IReadOnlyList<KeyValuePair<string, string>> Block(string key) => _values.Find(key) is HoconObject block
        ? [.. block.Paths().Where(entry => entry.Value is not HoconObject).Select(entry => KeyValuePair.Create(string.Join('.', HoconPath.Parse(entry.Path).Elements), _values.GetString($"{key}.{entry.Path}")))]
        : [];

    /// <summary>A block that is handed on, as HOCON without its name; empty where there is none.</summary>
    public string HandOn(string key) => _values.Find(key) is HoconObject block ? block.Render() : "";

    /// <summary>The settings that there are, with their defaults: all of <c>reference.conf</c> but the blocks that are handed on.</summary>
    public static IEnumerable<HoconLeaf> Documented => Reference.Paths().Where(leaf => leaf.Value is not HoconObject);

    /// <summary>All settings but the handed-on blocks and what is secret, in order, with their effective values as text.</summary>
    public IEnumerable<KeyValuePair<string, string>> Effective =>
        Documented.Where(entry => !Secret.Contains(entry.Path)).Select(entry => KeyValuePair.Create(entry.Path, _values.GetString(entry.Path)));

    /// <exception cref="HoconException">not one of the choices</exception>
    public T Choice<T>(string key, IReadOnlyDictionary<string, T> choices)
    {
        var text = Text(key);
        return choices.TryGetValue(text, out var chosen) ? chosen : throw Outside(key, $"'{text}'", $"write one of: {string.Join(", ", choices.Keys)}");
    }

    public string Text(string key) => _values.GetString(Note(key));

    public bool Flag(string key) => _values.GetBoolean(Note(key));

    /// <exception cref="HoconException">no whole number, or outside the range</exception>
    public int Integer(string key, int least, int most = int.MaxValue)
    {
        var value = _values.GetInt32(Note(key));
        return value >= least && value <= most ? value : throw OutOfRange(key, value, least, most);
    }

    /// <exception cref="HoconException">no whole number, or outside the range</exception>
    public long Long(string key, long least, long most = long.MaxValue)
    {
        var value = _values.GetInt64(Note(key));
        return value >= least && value <= most ? value : throw OutOfRange(key, value, least, most);
    }

    /// <exception cref="HoconException">no number, or outside the range</exception>
    public double Number(string key, double least, double most)
    {
        var value = _values.GetDouble(Note(key));
        return value >= least && value <= most ? value : throw OutOfRange(key, value, least, most);
    }

    /// <exception cref="HoconException">no duration, or outside the range</exception>
    public TimeSpan Duration(string key, TimeSpan least, TimeSpan most)
    {
        var value = _values.GetDuration(Note(key));
        return value >= least && value <= most ? value : throw OutOfRange(key, value, least, most);
    }

    /// <summary>In bytes.</summary>
    /// <exception cref="HoconException">no size, or outside the range</exception>
    public long Size(string key, long least, long most)
    {
        var value = _values.GetSizeInBytes(Note(key));
        return value >= least && value <= most ? value : throw OutOfRange(key, value, least, most);
    }

    /// <summary>An error about a setting's value, naming where it was set.</summary>
    public HoconException Outside(string key, string found, string remedy) => new(_values.GetValue(key).Origin, key, $"found {found}", remedy);

    private HoconException OutOfRange<T>(string key, T value, T least, T most) =>
        Outside(key, FormattableString.Invariant($"{value}"), FormattableString.Invariant($"write a value from {least} to {most}"));

    private string Note(string key)
    {
        lock (_read)
            _read.Add(key);
        return key;
    }

    // What was written must be where the reference has such a thing: a value, or a block.
    private static void Check(string path, HoconValue value)
    {
        if (HandedOn.Any(block => path.StartsWith(block + ".", StringComparison.Ordinal) || (path == block && value is HoconObject)))
            return;
        switch (Reference.Find(path))
        {
            case null:
                throw new HoconException(value.Origin, path, "found a setting that does not exist", Suggestion(path));
            case HoconObject block when value is not HoconObject:
                throw new HoconException(value.Origin, path, $"found {value.Describe()} for a block of settings", $"name one of its settings, such as {path}.{block.Fields.Keys.First()}");
            case not HoconObject when value is HoconObject:
                throw new HoconException(value.Origin, path, "found a block for a setting that holds one value", $"write {path} = …");
        }
    }

    private static string Suggestion(string path)
    {
        if (HandedOn.Contains(path))
            return $"it is a block: write {path} {{ … }}";
        if (ValueAbove(path) is { } above)
            return $"{above} holds one value: write {above} = …";
        var last = path[(path.LastIndexOf('.') + 1)..];
        var known = Reference.Paths().Select(entry => entry.Path).ToList();
        var near = known.Where(key => key.EndsWith("." + last, StringComparison.Ordinal)).ToList();
        if (near.Count == 0)
            near = known.GroupBy(key => Distance(key, path)).Where(group => group.Key <= 2).MinBy(group => group.Key)?.ToList() ?? [];
        return near.Count > 0 ? $"did you mean {string.Join(" or ", near)}?" : "see hocon/reference.conf for all settings";
    }

    // The setting that a path goes on below, as learner.beta for learner.beta.more.
    private static string? ValueAbove(string path)
    {
        var above = HoconPath.Empty;
        foreach (var element in HoconPath.Parse(path).Elements)
        {
            above = above.Append(element);
            if (Reference.Find(above.ToString()) is not (null or HoconObject))
                return above.ToString();
        }
        return null;
    }

    // Levenshtein's distance, for a typing error or two.
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }
        return row[^1];
    }

    private static HoconDocument LoadReference()
    {
        using var stream = typeof(EffectiveSettings).Assembly.GetManifestResourceStream("reference.conf")!;
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        return HoconDocument.Parse(memory.ToArray(), "reference.conf");
    }
}
