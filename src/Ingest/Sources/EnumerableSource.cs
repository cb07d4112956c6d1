using System.Runtime.CompilerServices;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Ingest.Sources;

/// <summary>
/// Records that the user's own code makes. Each time it is read it is asked for from the beginning, so it must give the same records again; what is
/// settled is passed over.
/// </summary>
public sealed class EnumerableSource(string name, Func<CancellationToken, IAsyncEnumerable<PreferenceRecord>> records) : IRecordSource
{
    public string Name => name;

    /// <summary>Only the name: what the user's code will give is not known.</summary>
    public string Identity => name;

    public long? EstimatedRecords => null;

    public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var from = settled.Watermark(Name);
        // There is one pass.
        if (from.Pass > 0)
            yield break;
        var index = 0L;
        await foreach (var record in records(cancellation).WithCancellation(cancellation))
        {
            if (index >= from.Index)
                yield return new SourceEntry.Made(new Position(name, 0, index), record);
            index++;
        }
        yield return new SourceEntry.PassEnd(new Position(name, 0, index));
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
