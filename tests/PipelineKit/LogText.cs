using MassDpo.Shared.Files;

namespace MassDpo.PipelineKit;

/// <summary>A log of a run as text.</summary>
public static class LogText
{
    /// <summary>All of its segments, in order.</summary>
    public static string Read(string output, string name) =>
        string.Concat(LogSegments.PathsOf(PhysicalFiles.Instance, Path.Combine(output, name)).Select(File.ReadAllText));
}
