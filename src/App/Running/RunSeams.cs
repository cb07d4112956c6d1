using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

namespace MassDpo.App.Running;

/// <summary>Where a run of the command line touches what is outside its actors, so that a test of whole processes can stand in between.</summary>
/// <param name="Files">what the output directory is written through</param>
/// <param name="Links">makes what joins the actors</param>
/// <param name="Tap">told of every selection that was applied</param>
internal sealed record RunSeams(IFiles Files, Func<PipelineLinks> Links, Action<SelectionEvent> Tap)
{
    /// <summary>The program as it is.</summary>
    public static RunSeams None { get; } = new(PhysicalFiles.Instance, PipelineLinks.Local, _ => { });
}
