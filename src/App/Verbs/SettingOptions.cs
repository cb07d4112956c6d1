using System.Collections;
using System.CommandLine;
using System.Reflection;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.App.Verbs;

/// <summary>
/// The options by which a verb takes settings: <c>--config</c>, <c>--set</c>, and flags that stand for one setting each. A flag's default is the setting's.
/// </summary>
internal sealed class SettingOptions
{
    private readonly Option<FileInfo?> _config = new("--config") { Description = "A HOCON file of settings; hocon/reference.conf documents them all.", HelpName = "FILE" };
    private readonly Option<string[]> _set = new("--set") { Description = "One setting; may be given several times.", HelpName = "key=value" };
    private readonly List<(Option<string?> Option, string Key)> _flags = [];
    private readonly HoconDocument? _recipe;

    /// <param name="command">gets the options</param>
    /// <param name="flags">name, setting, name of its value in the help, description</param>
    public SettingOptions(Command command, params (string Flag, string Key, string Value, string Description)[] flags)
        : this(command, null, flags)
    {
    }

    /// <param name="command">gets the options</param>
    /// <param name="recipe">settings that lie below all that is given; null: none</param>
    /// <param name="flags">name, setting, name of its value in the help, description</param>
    public SettingOptions(Command command, HoconDocument? recipe, params (string Flag, string Key, string Value, string Description)[] flags)
    {
        _recipe = recipe;
        var defaults = recipe is null ? EffectiveSettings.Reference : recipe.WithFallback(EffectiveSettings.ReferenceDocument).Resolve();
        foreach (var (flag, key, value, description) in flags)
        {
            var option = new Option<string?>(flag) { Description = $"{description} [default: {defaults.GetString(key)}]", HelpName = value };
            _flags.Add((option, key));
            command.Options.Add(option);
        }
        command.Options.Add(_config);
        command.Options.Add(_set);
    }

    /// <param name="parsed">the call</param>
    /// <param name="above">settings that lie above the recipe and below all that is given; null: none</param>
    /// <exception cref="Shared.Settings.Hocon.HoconException">a malformed value, or an unknown setting</exception>
    public EffectiveSettings Read(ParseResult parsed, HoconDocument? above = null)
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Select(variable => KeyValuePair.Create((string)variable.Key, (string?)variable.Value ?? ""));
        return Load(parsed, environment, above is null ? _recipe : above.WithFallback(_recipe ?? HoconDocument.Empty));
    }

    /// <summary>What is given in this call over the settings that a run had: its environment was another.</summary>
    /// <exception cref="Shared.Settings.Hocon.HoconException">a malformed value, or an unknown setting</exception>
    public EffectiveSettings ReadOver(HoconDocument run, ParseResult parsed) => Load(parsed, [], run);

    private EffectiveSettings Load(ParseResult parsed, IEnumerable<KeyValuePair<string, string>> environment, HoconDocument? recipe)
    {
        var flags = _flags.Select(flag => (flag.Key, Value: parsed.GetValue(flag.Option), flag.Option.Name))
            .Where(flag => flag.Value is not null).Select(flag => (flag.Key, flag.Value!, flag.Name));
        return EffectiveSettings.Load(parsed.GetValue(_config)?.FullName, environment, parsed.GetValue(_set) ?? [], flags, recipe);
    }

    /// <summary>A file of settings within the program.</summary>
    /// <param name="name">of the file</param>
    /// <param name="program">that it is in; null: this one</param>
    public static HoconDocument Recipe(string name, Assembly? program = null)
    {
        using var stream = (program ?? typeof(SettingOptions).Assembly).GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return HoconDocument.Parse(reader.ReadToEnd(), "hocon/" + name);
    }
}
