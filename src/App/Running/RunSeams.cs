using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Sources;

namespace MassDpo.App.Running;

/// <summary>Where a run of the command line touches what is outside its actors, so that a test of whole processes can stand in between.</summary>
/// <param name="Files">what the output directory is written through</param>
/// <param name="Links">stands over what joins the actors, within a process or over topics</param>
/// <param name="Source">stands over files of records that are brought to a topic</param>
/// <param name="Tap">told of every selection that was applied</param>
internal sealed record RunSeams(IFiles Files, Func<PipelineLinks, PipelineLinks> Links, Func<IRecordSource, IRecordSource> Source, Action<SelectionEvent> Tap)
{
    /// <summary>The program as it is.</summary>
    public static RunSeams None { get; } = new(PhysicalFiles.Instance, links => links, source => source, _ => { });
}
