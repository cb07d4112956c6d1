using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using MassDpo.Ingest.Records;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Ingest;

/// <summary>An entry of a source and, if it is a record that is not settled, what validation made of it: a pool or a dead letter.</summary>
public readonly record struct ValidatedEntry(SourceEntry Entry, CandidatePool? Pool = null, DeadLetter? Dead = null)
{
    /// <summary>What went wrong in validation itself, which no record may cause; to be thrown by who takes the entry.</summary>
    internal ExceptionDispatchInfo? Failure { get; init; }
}

/// <summary>
/// A source whose records are validated, in the source's order. With one validator that is done where the entries are asked for, one at a time and nothing
/// ahead; with more the source is read ahead, and runs of entries are validated on as many threads of the pool.
/// </summary>
/// <param name="source">of the records</param>
/// <param name="validator">thread-safe</param>
/// <param name="validators">runs of entries validated at a time; at least 1</param>
public sealed class ValidatedSource(IRecordSource source, RecordValidator validator, int validators)
{
    // A run ends with either: enough that handing it over costs little beside it, few enough that all threads have some.
    private const int RunEntries = 32;
    private const int RunBytes = 256 << 10;

    /// <inheritdoc cref="IRecordSource.Name"/>
    public string Name => source.Name;

    /// <inheritdoc cref="IRecordSource.IsShared"/>
    public bool IsShared => source.IsShared;

    /// <inheritdoc cref="IRecordSource.Commit"/>
    public void Commit(SettledPositions settled) => source.Commit(settled);

    /// <inheritdoc cref="IRecordSource.ReadAsync"/>
    public IAsyncEnumerable<ValidatedEntry> ReadAsync(SettledPositions settled, CancellationToken cancellation) =>
        validators == 1 ? InPlaceAsync(settled, cancellation) : AheadAsync(settled, cancellation);

    private async IAsyncEnumerable<ValidatedEntry> InPlaceAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var entry in source.ReadAsync(settled, cancellation))
            yield return Validate(entry, settled);
    }

    private async IAsyncEnumerable<ValidatedEntry> AheadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
    {
        // The run that is waited for, and these.
        var runs = Channel.CreateBounded<Task<ValidatedEntry[]>>(new BoundedChannelOptions(validators - 1) { SingleReader = true, SingleWriter = true });
        using var left = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var reading = Task.Run(() => ReadAheadAsync(settled, runs.Writer, left.Token), CancellationToken.None);
        try
        {
            await foreach (var run in runs.Reader.ReadAllAsync(cancellation))
                foreach (var entry in await run)
                    yield return entry;
        }
        finally
        {
            left.Cancel();
            // Not waited for: a source may not heed at once that it is cancelled. It disposes of its entries when it does.
            _ = reading.ContinueWith(static task => task.Exception, TaskScheduler.Default);
        }
    }

    private async Task ReadAheadAsync(SettledPositions settled, ChannelWriter<Task<ValidatedEntry[]>> runs, CancellationToken cancellation)
    {
        var (run, bytes) = (new List<SourceEntry>(RunEntries), 0L);
        try
        {
            Exception? failure = null;
            try
            {
                await using var entries = source.ReadAsync(settled, cancellation).GetAsyncEnumerator(cancellation);
                while (true)
                {
                    var move = entries.MoveNextAsync();
                    // Nothing more is at hand: what there is must not wait for it.
                    if (!move.IsCompleted)
                        await HandOverAsync();
                    if (!await move)
                        break;
                    var entry = Kept(entries.Current);
                    run.Add(entry);
                    bytes += entry is SourceEntry.Bytes record ? record.Json.Length : 0;
                    if (run.Count == RunEntries || bytes >= RunBytes)
                        await HandOverAsync();
                }
            }
            catch (Exception e)
            {
                failure = e;
            }
            // What was read before it failed is good.
            await HandOverAsync();
            runs.Complete(failure);
        }
        catch (OperationCanceledException e)
        {
            runs.TryComplete(e);
        }

        async ValueTask HandOverAsync()
        {
            if (run.Count == 0)
                return;
            // Room first: as many are validated at a time as there is room for.
            await runs.WaitToWriteAsync(cancellation);
            var full = run;
            runs.TryWrite(Task.Run(() => Validate(full, settled), CancellationToken.None));
            (run, bytes) = (new List<SourceEntry>(RunEntries), 0);
        }
    }

    private ValidatedEntry[] Validate(List<SourceEntry> entries, SettledPositions settled)
    {
        var validated = new ValidatedEntry[entries.Count];
        for (var i = 0; i < validated.Length; i++)
            validated[i] = Validate(entries[i], settled);
        return validated;
    }

    private ValidatedEntry Validate(SourceEntry entry, SettledPositions settled)
    {
        if (entry is not (SourceEntry.Bytes or SourceEntry.Made) || settled.Contains(entry.Position))
            return new ValidatedEntry(entry);
        try
        {
            var (pool, dead) = validator.Validate(entry);
            return new ValidatedEntry(entry, pool, dead);
        }
        catch (Exception e)
        {
            return new ValidatedEntry(entry) { Failure = ExceptionDispatchInfo.Capture(e) };
        }
    }

    // Valid also when the source has moved on.
    private static SourceEntry Kept(SourceEntry entry) =>
        entry is SourceEntry.Bytes { IsOwned: false } record ? record with { Json = record.Json.ToArray(), IsOwned = true } : entry;
}
