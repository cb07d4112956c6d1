namespace MassDpo.Shared.Contracts;

/// <summary>What a process does of the whole.</summary>
[Flags]
public enum Roles
{
    None = 0,
    /// <summary>Opens slots, trains, writes the output directory.</summary>
    Learner = 1,
    /// <summary>Reads records, scores them, chooses.</summary>
    Selector = 2,
    /// <summary>Brings records from files, or another source, to where selectors read them.</summary>
    Ingest = 4,
}
