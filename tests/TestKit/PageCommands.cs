using System.Text.RegularExpressions;

namespace MassDpo.TestKit;

/// <summary>The commands that a page shows.</summary>
public static partial class PageCommands
{
    /// <summary>Each as it stands there, and in words, without <c>./massdpo</c>.</summary>
    public static IReadOnlyList<(string Text, string[] Words)> Of(string page) =>
    [
        .. Fenced().Matches(File.ReadAllText(Path.Combine(Repository.Root, page))).SelectMany(block => block.Groups[1].Value.Replace("\\\n", " ").Split('\n'))
            .Where(line => line.StartsWith("./massdpo ", StringComparison.Ordinal))
            .Select(line => (line, line.Split(" #")[0].Split(" >")[0].Split(" |")[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..])),
    ];

    [GeneratedRegex(@"^```[a-z]*\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fenced();
}
