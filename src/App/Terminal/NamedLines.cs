using Spectre.Console;

namespace MassDpo.App.Terminal;

/// <summary>Lines of several processes, each with its name before it, in a colour of its own where there is a terminal.</summary>
internal sealed class NamedLines
{
    private static readonly Color[] Colors = [Color.Grey, Color.Blue, Color.Green, Color.Olive, Color.Purple, Color.Teal];

    private readonly List<string> _names = [];

    /// <summary>Prints to standard error.</summary>
    public void Write(string name, string line)
    {
        lock (_names)
        {
            if (!_names.Contains(name))
                _names.Add(name);
            Output.Error.Write(new Text(name.PadRight(10), new Style(Colors[_names.IndexOf(name) % Colors.Length])));
            Output.ErrorLine($" │ {line}");
        }
    }
}
