namespace MassDpo.Shared.Telemetry;

/// <summary>What log-probabilities under the reference cost a process so far.</summary>
/// <param name="FromMemory">packs that were found in memory</param>
/// <param name="FromDisk">packs that were found on disk</param>
/// <param name="Computed">packs that were found nowhere</param>
/// <param name="MemoryBytes">in memory</param>
/// <param name="DiskBytes">this process's on disk; null: nothing is kept there</param>
/// <param name="Damaged">entries and stretches on disk that were not what was written, and were passed over</param>
public sealed record ReferenceCacheUse(long FromMemory, long FromDisk, long Computed, long MemoryBytes, long? DiskBytes, long Damaged);
