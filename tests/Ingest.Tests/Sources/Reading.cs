using System.IO.Compression;
using System.Text;
using MassDpo.Ingest.Sources;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using MassDpo.TestKit;

namespace MassDpo.Ingest.Tests.Sources;

/// <summary>What a source gave, kept: its entries are valid only until the next one.</summary>
internal sealed record Read(Position Position, string File, long Line, string Text, long? Oversize, bool IsPassEnd)
{
    public static Read Of(SourceEntry entry) => entry switch
    {
        SourceEntry.Bytes bytes => new Read(bytes.Position, bytes.File, bytes.Line, Encoding.UTF8.GetString(bytes.Json.Span), bytes.Oversize, false),
        SourceEntry.Made made => new Read(made.Position, "", 0, made.Record.Prompt.Text, null, false),
        _ => new Read(entry.Position, "", 0, "", null, true),
    };
}

internal static class Reading
{
    public static FileSourceOptions InOrder { get; } = new(ShuffleOrder.None, Seed: 1, Passes: 1, MaxRecords: 0, MaxRecordBytes: 1 << 20);

    public static async Task<List<Read>> AllOf(IRecordSource source, Position? from = null)
    {
        var all = new List<Read>();
        await foreach (var entry in source.ReadAsync(SettledBefore(from ?? new Position(source.Name, 0, 0)), default))
            all.Add(Read.Of(entry));
        return all;
    }

    /// <summary>Everything before a position is settled.</summary>
    public static SettledPositions SettledBefore(Position position)
    {
        var settled = new SettledPositions();
        for (var pass = 0; pass < position.Pass; pass++)
            settled.EndPass(position.Source, pass, 0);
        settled.AddRange(position with { Index = 0 }, position.Index);
        return settled;
    }

    public static async Task<List<Read>> AllOf(string[] files, FileSourceOptions options)
    {
        await using var source = new FileSource(files, options);
        return await AllOf(source);
    }

    /// <summary>The lines, without the ends of passes.</summary>
    public static async Task<List<Read>> LinesOf(string file, FileSourceOptions? options = null) =>
        [.. (await AllOf([file], options ?? InOrder)).Where(read => !read.IsPassEnd)];

    public static string Pack(TempFolder folder, string name, params string[] members) => WriteBytes(folder, name, [.. members.SelectMany(Pack)]);

    public static byte[] Pack(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
            gzip.Write(Encoding.UTF8.GetBytes(text));
        return packed.ToArray();
    }

    public static string WriteBytes(TempFolder folder, string name, byte[] bytes)
    {
        var path = folder[name];
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public static string Numbered(int count, int from = 0) => string.Concat(Enumerable.Range(from, count).Select(i => $"line {i}\n"));
}
