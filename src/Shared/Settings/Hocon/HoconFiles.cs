using System.Buffers;
using System.Text.Unicode;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>
/// Reads files and what they include (spec: "Includes"). Every file has an instance of its own, which knows the folder it lies in and the files that
/// led to it.
/// </summary>
internal sealed class HoconFiles
{
    private readonly string? _folder;
    private readonly IReadOnlyList<string> _chain;
    private readonly Counter _counter;

    /// <param name="folder">What relative names are relative to; null where the text has no folder.</param>
    public HoconFiles(string? folder) : this(folder, [], new Counter())
    {
    }

    private HoconFiles(string? folder, IReadOnlyList<string> chain, Counter counter)
    {
        _folder = folder;
        _chain = chain;
        _counter = counter;
    }

    public static HoconValue Load(string path) => new HoconFiles("").Read(path, HoconPlace.Root, null);

    /// <summary>Text from strict UTF-8 (spec: "files must be valid UTF-8").</summary>
    public static string Decode(ReadOnlySpan<byte> utf8, string name)
    {
        var chars = new char[utf8.Length];
        var status = Utf8.ToUtf16(utf8, chars, out var read, out var written, replaceInvalidSequences: false);
        if (status != OperationStatus.Done)
            throw new HoconException(new HoconOrigin(name, 1 + utf8[..read].Count((byte)'\n')), null,
                $"found bytes that are no UTF-8 at offset {read}, starting with 0x{utf8[read]:X2}", "save the file as UTF-8");
        return new string(chars, 0, written);
    }

    /// <summary>
    /// Merges a file's settings into <paramref name="target"/> (spec: "Include semantics"). A name without <c>.conf</c> or <c>.json</c> that is no
    /// file itself stands for both <c>name.json</c> and, over it, <c>name.conf</c>.
    /// </summary>
    public void Include(string name, bool required, HoconPlace place, HoconOrigin at, HoconObject target)
    {
        if (name.Contains("://", StringComparison.Ordinal) || name.StartsWith("file:", StringComparison.Ordinal))
            throw Error($"found include of the URL {HoconRenderer.Shorten(name)}, which is not supported", "name a file");
        if (name.EndsWith(".properties", StringComparison.Ordinal))
            throw Error($"found include of {HoconRenderer.Shorten(name)}, which is not supported", "write the settings as HOCON, in a .conf file");
        if (name.Length == 0 || name.Contains('\0'))
            throw Error($"found include of {HoconRenderer.Shorten(name)}, which names no file", "name a file");
        if (_folder is null)
            throw Error($"found include of {HoconRenderer.Shorten(name)} in a text that lies in no folder", "write the settings out");
        var path = Path.Combine(_folder, name);
        if (Directory.Exists(path))
            throw Error($"found include of the folder {path}", "name a file in it");
        string[] candidates = HasKnownExtension(name) || File.Exists(path) ? [path] : [path + ".json", path + ".conf"];
        var files = candidates.Where(File.Exists).ToList();
        if (files.Count == 0 && required)
            throw Error($"found no file {string.Join(" or ", candidates)}, which is required", "create it, or correct the name");
        foreach (var file in files)
        {
            if (_chain.Contains(Path.GetFullPath(file)))
                throw Error($"found an include that leads back to its own file: {string.Join(" → ", _chain.Append(Path.GetFullPath(file)))}",
                    "remove one of these includes");
            if (_chain.Count >= HoconLimits.IncludeDepth || ++_counter.Files > HoconLimits.Files)
                throw Error($"found more than {HoconLimits.Files} includes, or {HoconLimits.IncludeDepth} inside each other", "include fewer files");
            if (Read(file, place.Included(), at) is not HoconObject root)
                throw Error($"found a list at the root of the included file {file}", "include a file of settings");
            foreach (var (key, value) in root.Map)
                HoconMerge.Put(target, key, value);
        }

        HoconException Error(string found, string remedy) => new(at, place.Key, found, remedy);
    }

    private static bool HasKnownExtension(string name) =>
        name.EndsWith(".conf", StringComparison.Ordinal) || name.EndsWith(".json", StringComparison.Ordinal);

    private HoconValue Read(string path, HoconPlace place, HoconOrigin? at)
    {
        using var content = new MemoryStream();
        HoconFiles inside;
        try
        {
            inside = new HoconFiles(Path.GetDirectoryName(path), [.. _chain, Path.GetFullPath(path)], _counter);
            using var file = File.OpenRead(path);
            // Piece by piece: the length of what is no regular file is not known.
            var piece = new byte[64 << 10];
            for (int read; content.Length <= HoconLimits.BytesPerFile && (read = file.Read(piece)) > 0;)
                content.Write(piece, 0, read);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new HoconException(at ?? new HoconOrigin(path), null, $"found that {path} cannot be read ({error.Message})",
                "check the path and its permissions", error);
        }
        if (content.Length > HoconLimits.BytesPerFile)
            throw new HoconException(new HoconOrigin(path), null, $"found more than {HoconLimits.BytesPerFile} bytes", "name a settings file");
        var text = Decode(content.GetBuffer().AsSpan(0, (int)content.Length), path);
        return new HoconParser(new HoconTokenizer(text, path, firstLine: 1), inside).ParseRoot(place);
    }

    private sealed class Counter
    {
        public int Files { get; set; }
    }
}
