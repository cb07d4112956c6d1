namespace MassDpo.Selection.References;

/// <summary>What is kept of log-probabilities under the reference.</summary>
/// <param name="MemoryBytes">in memory</param>
/// <param name="Directory">on disk; null: nowhere</param>
/// <param name="DiskBytes">of this process there</param>
public sealed record ReferenceCacheOptions(long MemoryBytes, string? Directory, long DiskBytes);
