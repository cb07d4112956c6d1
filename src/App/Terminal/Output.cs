using Spectre.Console;

namespace MassDpo.App.Terminal;

/// <summary>Where the program prints: results to standard output, progress and errors to standard error, so that results can be piped.</summary>
internal static class Output
{
    public static IAnsiConsole Out { get; } = Create(Console.Out);

    public static IAnsiConsole Error { get; } = Create(Console.Error);

    /// <summary>Text as it is: no markup, no wrapping.</summary>
    public static void Line(string text) => Console.Out.WriteLine(text);

    public static void ErrorLine(string text) => Console.Error.WriteLine(text);

    private static IAnsiConsole Create(TextWriter writer)
    {
        var output = new AnsiConsoleOutput(writer);
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = output, Ansi = output.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No });
        // Where there is no terminal there is no width: nothing is wrapped.
        if (!console.Profile.Out.IsTerminal)
            console.Profile.Width = 200;
        return console;
    }
}
