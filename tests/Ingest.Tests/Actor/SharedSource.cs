using System.Runtime.CompilerServices;
using System.Text;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Ingest.Tests.Actor;

/// <summary>A source of several parts whose readings are written down: the n-th gives its entries, then has nothing more until it is told something, or cancelled.</summary>
internal sealed class SharedSource(params SourceEntry[][] readings) : IRecordSource
{
    private readonly List<SettledPositions> _reads = [];
    private TaskCompletionSource<SourceEntry>? _more;

    public string Name => "topic";

    public string Identity => "made";

    public bool IsShared => true;

    public long? EstimatedRecords => null;

    /// <summary>What was settled at each reading.</summary>
    public IReadOnlyList<SettledPositions> Reads => _reads;

    /// <summary>What checkpoints held.</summary>
    public List<SettledPositions> Commits { get; } = [];

    public static SourceEntry Share(int total, params int[] parts) => new SourceEntry.Share(default, new InputShare([.. parts.Select(Part)], total));

    public static SourceEntry Record(int part, long offset) =>
        new SourceEntry.Bytes(new Position(Part(part), 0, offset), Part(part), offset, Encoding.UTF8.GetBytes("""{"prompt":{"history":["a"]},"chosen":"b","rejected":["c"]}"""), null);

    public static IEnumerable<SourceEntry> Records(int part, long from, int count) => Enumerable.Range(0, count).Select(i => Record(part, from + i));

    public static SourceEntry.Skipped Skipped(int part, long from, long to, SkipReason reason) => new(new Position(Part(part), 0, from), to, reason);

    public static string Part(int part) => $"topic/{part}";

    /// <summary>Gives the newest reading, which waits, one more entry.</summary>
    public void Tell(SourceEntry entry) => _more!.SetResult(entry);

    public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
    {
        _reads.Add(settled);
        foreach (var entry in readings[_reads.Count - 1])
            yield return entry;
        while (true)
        {
            var more = new TaskCompletionSource<SourceEntry>();
            _more = more;
            await using var _ = cancellation.Register(() => more.TrySetCanceled());
            yield return await more.Task;
        }
    }

    public void Commit(SettledPositions settled) => Commits.Add(settled);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
