using MassDpo.Shared.Actors;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;

namespace MassDpo.App.Running;

/// <summary>What joins a process to the rest of its run: links, and where its records come from.</summary>
/// <param name="Links">the four links</param>
/// <param name="Source">of records, where selectors are in this process; null: none are</param>
/// <param name="Data">what the records of the run are: a resume on others is refused</param>
internal sealed record RunWiring(PipelineLinks Links, IRecordSource? Source, string Data) : IAsyncDisposable
{
    /// <summary>Stands before the names of this process's actors where several processes are joined; else empty.</summary>
    public string Process { get; init; } = "";

    /// <summary>Files of the records, in order, where they come from files that this process does not read itself; else null.</summary>
    public IReadOnlyList<string>? Files { get; init; }

    /// <summary>The topic of the records; null: they do not come from one.</summary>
    public string? Topic { get; init; }

    /// <summary>Where the learner tells outcomes beside its logs.</summary>
    public Func<IOutcomeSink> NewOutcomes { get; init; } = () => NoOutcomes.Instance;

    /// <summary>Whether the links end with it.</summary>
    public bool OwnsLinks { get; init; }

    /// <summary>A process that holds all, on links of the caller's.</summary>
    public static RunWiring Embedded(PipelineLinks links, IRecordSource source) => new(links, source, source.Identity);

    /// <summary>Whether its intake may go on with what another process's intake held.</summary>
    public bool TakesOver { get; init; }

    /// <summary>Gives this process's part of the input back in order, so that others go on with it; null: there is nobody else.</summary>
    public Func<Task>? GiveBack { get; init; }

    /// <summary>Told once, before the actors begin: what to do when what joins it cannot go on.</summary>
    public Action<ActorHost> Attach { get; init; } = _ => { };

    public async ValueTask DisposeAsync()
    {
        if (Source is not null)
            await Source.DisposeAsync();
        // What was announced last is on its way for a while.
        if (OwnsLinks)
            await Task.Run(Links.Dispose);
    }
}
