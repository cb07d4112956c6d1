using System.Text.Json;
using MassDpo.Shared.Files;

namespace MassDpo.Endurance.Bench;

/// <summary>How far a run is that goes on.</summary>
internal static class RunProgress
{
    /// <summary>Records trained on, by the last whole line of <c>metrics.jsonl</c>.</summary>
    public static long Records(string output)
    {
        if (!Directory.Exists(output))
            return 0;
        var segments = LogSegments.PathsOf(PhysicalFiles.Instance, Path.Combine(output, "metrics.jsonl"));
        if (segments.Count == 0)
            return 0;
        using var stream = new FileStream(segments[^1], FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        stream.Seek(-Math.Min(stream.Length, 8192), SeekOrigin.End);
        using var reader = new StreamReader(stream);
        var tail = reader.ReadToEnd();
        var end = tail.LastIndexOf('\n');
        var start = end > 0 ? tail.LastIndexOf('\n', end - 1) : -1;
        if (start < 0)
            return 0;
        using var json = JsonDocument.Parse(tail[(start + 1)..end]);
        return json.RootElement.GetProperty("records").GetInt64();
    }
}
