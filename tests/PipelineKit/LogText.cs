using MassDpo.Shared.Files;

namespace MassDpo.PipelineKit;

/// <summary>A log of a run as text.</summary>
public static class LogText
{
    /// <summary>All of its segments, in order.</summary>
    public static string Read(string output, string name)
    {
        var log = Path.Combine(output, name);
        return string.Concat(LogSegments.In(PhysicalFiles.Instance, log).Select(begin => File.ReadAllText(LogSegments.PathOf(log, begin))));
    }
}
