using MassDpo.App.Running;
using MassDpo.PipelineKit.Distributed.Log;
using MassDpo.Shared.Files;
using MassDpo.Shared.Sources;

namespace MassDpo.PipelineKit.Distributed;

/// <summary>A defect put into a run on purpose, to see whether it is found.</summary>
public sealed record FleetDefect
{
    /// <summary>Put between a process and its links.</summary>
    public Func<LogClient, PipelineLinks, PipelineLinks>? Links { get; init; }

    /// <summary>Put between a learner and its files.</summary>
    public Func<IFiles, IFiles>? Files { get; init; }

    /// <summary>Put between an intake and its source.</summary>
    public Func<LogSource, IRecordSource>? Source { get; init; }

    /// <summary>Where a source takes a partition to end.</summary>
    public Func<LogPartition, long>? EndOf { get; init; }

    /// <summary>Whether partitions are given on before they were let go of.</summary>
    public bool GivesOnAtOnce { get; init; }
}
