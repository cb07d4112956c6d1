using MassDpo.TestKit;

namespace MassDpo.App.Tests.Structure;

/// <summary>The files of the repository that people write.</summary>
internal static class SourceFiles
{
    private static readonly string[] Folders = ["bench", "docs", "hocon", "native", "samples", "src", "tests"];

    /// <summary>Paths from the repository's root, with /.</summary>
    public static IEnumerable<string> All => Directory.EnumerateFiles(Repository.Root)
        .Concat(Folders.Select(folder => Path.Combine(Repository.Root, folder)).Where(Directory.Exists).SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)))
        .Select(file => Path.GetRelativePath(Repository.Root, file).Replace('\\', '/'));

    public static string Read(string path) => File.ReadAllText(Path.Combine(Repository.Root, path));

    /// <summary>Lines without what follows a // in them, with their numbers.</summary>
    public static IEnumerable<(int Number, string Code)> Code(string path) =>
        Read(path).Split('\n').Select((line, i) => (i + 1, line.IndexOf("//", StringComparison.Ordinal) is var comment and >= 0 ? line[..comment] : line));
}
