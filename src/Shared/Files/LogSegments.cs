using System.Globalization;

namespace MassDpo.Shared.Files;

/// <summary>
/// The files of one log, in order. It begins as <c>selections.jsonl</c>; what is appended from version 12800 on may lie in
/// <c>selections-v000000012800.jsonl</c>, and so on. Whoever names the first names all of them.
/// </summary>
public static class LogSegments
{
    private const string Mark = "-v";
    private const int Digits = 12;

    /// <summary>The segment that begins at a version.</summary>
    public static string PathOf(string log, long from) => from == 0 ? log : Path.Combine(Path.GetDirectoryName(log) ?? "",
        string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileNameWithoutExtension(log)}{Mark}{from:D12}{Path.GetExtension(log)}"));

    /// <summary>At which version a segment of <paramref name="log"/> begins, by its file name; null for any other file.</summary>
    public static long? BeginOf(string log, string file)
    {
        var (stem, extension) = (Path.GetFileNameWithoutExtension(log), Path.GetExtension(log));
        if (file == stem + extension)
            return 0;
        var digits = file.Length - stem.Length - Mark.Length - extension.Length;
        return digits == Digits && file.StartsWith(stem + Mark, StringComparison.Ordinal) && file.EndsWith(extension, StringComparison.Ordinal)
            && long.TryParse(file.AsSpan(stem.Length + Mark.Length, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var from) && from > 0
            ? from
            : null;
    }

    /// <summary>Where the segments that are there begin, ascending.</summary>
    /// <param name="files">the file system</param>
    /// <param name="log">path of the first segment, which itself may be gone</param>
    public static IReadOnlyList<long> In(IFiles files, string log) => files.FolderExists(Folder(log))
        ? [.. files.List(Folder(log)).Select(file => BeginOf(Path.GetFileName(log), file)).OfType<long>().Order()]
        : [];

    /// <summary>The segments that are there, in order.</summary>
    /// <param name="files">the file system</param>
    /// <param name="log">path of the first segment, which itself may be gone</param>
    public static IReadOnlyList<string> PathsOf(IFiles files, string log) => [.. In(files, log).Select(begin => PathOf(log, begin))];

    private static string Folder(string log) => Path.GetDirectoryName(log) is { Length: > 0 } folder ? folder : ".";
}
