using System.Runtime.CompilerServices;
using System.Text;
using MassDpo.Ingest.Sources;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Ingest.Tests.Actor;

/// <summary>
/// A source of made lines that keeps account of how it is read. Every so many lines (<paramref name="pause"/>), and before it ends, it has nothing yet
/// and gives the scheduler a turn. It does not heed a cancellation by itself.
/// </summary>
internal sealed class ScriptedSource(int count, int passes = 1, int pause = 0, Func<int, bool>? isBad = null) : IRecordSource
{
    public const string File = "scripted.jsonl";

    public string Name => "scripted";

    public string Identity => "made";

    public long? EstimatedRecords => (long)count * passes;

    /// <summary>From where it was read, one for each time.</summary>
    public List<Position> Reads { get; } = [];

    /// <summary>Lines taken in the newest reading.</summary>
    public long Taken { get; private set; }

    /// <summary>Readings that are not yet disposed.</summary>
    public int Open { get; private set; }

    /// <summary>Asked before each line; a task that is not complete is a source that has nothing yet.</summary>
    public Func<Position, CancellationToken, Task>? Before { get; set; }

    public IEnumerable<Position> Positions =>
        Enumerable.Range(0, passes).SelectMany(pass => Enumerable.Range(0, count).Select(i => new Position(Name, pass, i)));

    public bool IsBad(Position position) => isBad?.Invoke((int)position.Index) ?? false;

    public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var from = settled.Watermark(Name);
        Reads.Add(from);
        var reading = Reads.Count;
        Taken = 0;
        Open++;
        try
        {
            for (var pass = from.Pass; pass < passes; pass++)
            {
                for (var index = pass == from.Pass ? (int)from.Index : 0; index < count; index++)
                {
                    var position = new Position(Name, pass, index);
                    if (pause > 0 && index % pause == pause - 1)
                        await Task.Yield();
                    if (Before is { } before)
                        await before(position, cancellation);
                    if (reading == Reads.Count)
                        Taken++;
                    yield return new SourceEntry.Bytes(position, File, index + 1, Line(position), null);
                }
                yield return new SourceEntry.PassEnd(new Position(Name, pass, count));
            }
            if (pause > 0)
                await Task.Yield();
        }
        finally
        {
            Open--;
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private byte[] Line(Position position) => IsBad(position) ? "not a record"u8.ToArray()
        : Encoding.UTF8.GetBytes($$"""{"id":"{{position}}","prompt":{"history":["a"]},"chosen":"b","rejected":["c"]}""");
}
