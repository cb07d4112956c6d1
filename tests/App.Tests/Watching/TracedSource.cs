using System.Runtime.CompilerServices;
using MassDpo.Ingest.Sources;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.App.Tests.Watching;

/// <summary>A source whose records come with traces, as messages with a header do.</summary>
internal sealed class TracedSource(FileSource source) : IRecordSource
{
    public string Name => source.Name;

    public string Identity => source.Identity;

    public long? EstimatedRecords => source.EstimatedRecords;

    /// <summary>The trace of the record at a position.</summary>
    public static string TraceOf(Position position) => $"00-{position.Pass + 1:x16}{position.Index + 1:x16}-{position.Index + 1:x16}-01";

    public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var entry in source.ReadAsync(settled, cancellation))
            yield return entry is SourceEntry.Bytes bytes ? bytes with { Trace = TraceOf(bytes.Position) } : entry;
    }

    public ValueTask DisposeAsync() => source.DisposeAsync();
}
