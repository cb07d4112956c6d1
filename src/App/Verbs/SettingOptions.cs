using System.Collections;
using System.CommandLine;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Verbs;

/// <summary>
/// The options by which a verb takes settings: <c>--config</c>, <c>--set</c>, and flags that stand for one setting each. A flag's default is the setting's.
/// </summary>
internal sealed class SettingOptions
{
    private readonly Option<FileInfo?> _config = new("--config") { Description = "A HOCON file of settings; hocon/reference.conf documents them all.", HelpName = "FILE" };
    private readonly Option<string[]> _set = new("--set") { Description = "One setting; may be given several times.", HelpName = "key=value" };
    private readonly List<(Option<string?> Option, string Key)> _flags = [];

    /// <param name="command">gets the options</param>
    /// <param name="flags">name, setting, name of its value in the help, description</param>
    public SettingOptions(Command command, params (string Flag, string Key, string Value, string Description)[] flags)
    {
        foreach (var (flag, key, value, description) in flags)
        {
            var option = new Option<string?>(flag) { Description = $"{description} [default: {EffectiveSettings.Reference.GetString(key)}]", HelpName = value };
            _flags.Add((option, key));
            command.Options.Add(option);
        }
        command.Options.Add(_config);
        command.Options.Add(_set);
    }

    /// <exception cref="Shared.Settings.Hocon.HoconException">a malformed value, or an unknown setting</exception>
    public EffectiveSettings Read(ParseResult parsed)
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Select(variable => KeyValuePair.Create((string)variable.Key, (string?)variable.Value ?? ""));
        var flags = _flags.Select(flag => (flag.Key, Value: parsed.GetValue(flag.Option), flag.Option.Name))
            .Where(flag => flag.Value is not null).Select(flag => (flag.Key, flag.Value!, flag.Name));
        return EffectiveSettings.Load(parsed.GetValue(_config)?.FullName, environment, parsed.GetValue(_set) ?? [], flags);
    }
}
