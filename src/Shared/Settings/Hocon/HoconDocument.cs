// A strict reader for HOCON (https://github.com/lightbend/config/blob/main/HOCON.md), as users of Akka and of Lightbend's library know it.
//
// Left out, each with an error that says so: include url() and classpath(), included .properties files, += in a block inside a list, substitutions in
// a file that is included inside a list. Left out for good: lists from numbered environment variables, periods of months and years, watching files.
// A .json file is read as the HOCON that it also is. Where the spec leaves the outcome open:
// - `include` finds every relative name, file("…") too, beside the including file.
// - A substitution looks forward unless resolving it needs its own field's head; fields of objects are never resolved just because their object is.
// - Optional substitutions with only white space between them that are all undefined give that white space, as in Lightbend's library.
// - Numbers follow JSON's grammar in every conversion: 007, .5 and +1 are texts.
using System.Collections;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>
/// A source of settings as it was written, substitutions still open. Sources are put on top of each other with <see cref="WithFallback"/> and then
/// resolved once, so that each can refer to all (spec: "Config object merging and file merging"). Immutable.
/// </summary>
/// <example><code>flags.WithFallback(file).WithFallback(reference).Resolve().GetDouble("learner.beta")</code></example>
public sealed class HoconDocument
{
    private readonly HoconValue _root;

    private HoconDocument(HoconValue root) => _root = root;

    /// <summary>No settings.</summary>
    public static HoconDocument Empty { get; } = new(new HoconObject(new HoconOrigin("no settings")));

    /// <summary>Reads a file of UTF-8 and what it includes.</summary>
    /// <exception cref="HoconException">It cannot be read, is no UTF-8 or no HOCON, or includes itself.</exception>
    public static HoconDocument Load(string path) => new(HoconFiles.Load(path));

    /// <summary>Reads text.</summary>
    /// <param name="text">HOCON or JSON.</param>
    /// <param name="originName">What messages call it.</param>
    /// <param name="folder">Where relative includes are looked for; without it an include is an error.</param>
    /// <exception cref="HoconException">It is no HOCON.</exception>
    public static HoconDocument Parse(string text, string originName = "text", string? folder = null) =>
        new(new HoconParser(new HoconTokenizer(text, originName, firstLine: 1), new HoconFiles(folder)).ParseRoot(HoconPlace.Root));

    /// <summary>Reads bytes, which have to be UTF-8.</summary>
    /// <inheritdoc cref="Parse(string, string, string?)"/>
    public static HoconDocument Parse(ReadOnlySpan<byte> utf8, string originName, string? folder = null) =>
        Parse(HoconFiles.Decode(utf8, originName), originName, folder);

    /// <summary>One <c>key=value</c>, as from <c>--set learner.beta=0.5</c>; the value is HOCON, <c>+=</c> appends.</summary>
    /// <exception cref="HoconException">It is not one key and one value.</exception>
    public static HoconDocument FromAssignment(string assignment, string originName = "--set") =>
        new(new HoconParser(new HoconTokenizer(assignment, originName, firstLine: 0), files: null).ParseAssignment());

    /// <summary>One setting whose value is plain text, nothing in it special, as from a flag: <c>0.5</c> is a number, <c>a:b</c> a text.</summary>
    /// <exception cref="HoconException">The path is malformed.</exception>
    public static HoconDocument FromPlainText(string path, string text, string originName) =>
        new(HoconOverrides.At(HoconPath.Parse(path), HoconScalar.FromUnquoted(new HoconOrigin(originName), text)));

    /// <summary>
    /// The settings that environment variables give: <c>MASSDPO__LEARNER__BETA=0.5</c> is <c>learner.beta</c>. Two underscores part the keys, which
    /// are looked for among <paramref name="known"/> whatever the case, with <c>_</c> for <c>-</c>. A value that starts with <c>[</c>, <c>{</c> or
    /// <c>"</c> is HOCON, any other one plain text.
    /// </summary>
    /// <param name="known">All settings there are.</param>
    /// <param name="variables">Name and value; those of the process by default.</param>
    /// <param name="prefix">How a variable has to start to count, whatever the case.</param>
    /// <exception cref="HoconException">A variable names no known setting, or more than one, or a block for a value.</exception>
    public static HoconDocument FromEnvironment(
        HoconObject known, IEnumerable<KeyValuePair<string, string>>? variables = null, string prefix = "MASSDPO__") =>
        new((variables ?? ProcessVariables()).Where(variable => variable.Key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            .OrderBy(variable => variable.Key, StringComparer.Ordinal)
            .Select(variable => HoconOverrides.FromVariable(known, variable.Key, variable.Value, prefix))
            .Aggregate(Empty._root, (earlier, later) => HoconMerge.Over(later, earlier)));

    /// <summary>These settings over those of <paramref name="fallback"/>, as if they had been written after them in one file.</summary>
    public HoconDocument WithFallback(HoconDocument fallback) => new(HoconMerge.Over(_root, fallback._root));

    /// <summary>The settings with every substitution replaced (spec: "Substitutions").</summary>
    /// <param name="environment">
    /// Where substitutions are looked up that are no setting (spec: "Substitution fallback to environment variables"); the process's by default.
    /// </param>
    /// <exception cref="HoconException">A substitution is undefined, a cycle or impossible to join; or the document is a list.</exception>
    public HoconObject Resolve(Func<string, string?>? environment = null) => ResolveValue(environment) as HoconObject
        ?? throw new HoconException(_root.Origin, null, "found a list at the root", "write settings: key = value");

    /// <summary>The same for any document: JSON allows a list at the root.</summary>
    /// <inheritdoc cref="Resolve"/>
    public HoconValue ResolveValue(Func<string, string?>? environment = null) =>
        new HoconResolver(_root, environment ?? Environment.GetEnvironmentVariable).Resolve();

    private static IEnumerable<KeyValuePair<string, string>> ProcessVariables() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Select(variable => KeyValuePair.Create((string)variable.Key, (string)variable.Value!));
}
