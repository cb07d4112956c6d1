using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Input;

/// <summary>
/// One reading of a <see cref="KafkaSource"/>, from an epoch's beginning on: a bounded queue from the consumer's thread, which alone writes, to who enumerates.
/// Entries are handed over many at a time, since waking who waits costs more than to read one: the writer says when no more is at hand. A change overtakes what
/// is in the queue, which the next epoch reads again.
/// </summary>
internal sealed class Reading(SettledPositions settled, long began, KafkaSourceOptions options, Action readOn)
{
    // What an entry takes beside its bytes, about.
    private const int EntryBytes = 256;

    // Records that who reads fast needs at hand.
    private const int Ahead = 1024;

    // Handed over together at most.
    private const int Batch = 64;

    private readonly Channel<List<SourceEntry>> _batches = Channel.CreateUnbounded<List<SourceEntry>>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    // Not handed over yet; the writer's alone.
    private List<SourceEntry> _written = [];
    // All that was ever written, the writer's, and all that was ever taken, the reader's: what lies between is in the queue. Neither counts under the other's hands.
    private long _writtenRecords;
    private long _writtenBytes;
    private long _takenRecords;
    private long _takenBytes;
    private volatile bool _waitsForRoom;
    private volatile bool _isChanged;
    private volatile bool _isLeft;

    /// <summary>What was settled when it began.</summary>
    public SettledPositions Settled => settled;

    /// <summary>On the source's clock.</summary>
    public long Began => began;

    /// <summary>The partitions that it reads; empty until it has any.</summary>
    public Dictionary<int, PartitionReading> Partitions { get; } = [];

    /// <summary>Whether it has said what it reads.</summary>
    public bool HasBegun => Partitions.Count > 0;

    /// <summary>Whether nothing of it is wanted any more.</summary>
    public bool IsLeft => _isLeft;

    /// <summary>Whether records are still to be written: it has begun, has neither ended nor changed, and somebody reads it.</summary>
    public bool IsOpen => HasBegun && !HasEnded && !_isChanged && !_isLeft;

    /// <summary>Whether all its partitions are read to their ends.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Whether what is in the queue is to be taken no more: a change has overtaken it.</summary>
    public bool IsChanged => _isChanged;

    /// <summary>Whether more may be written; the writer's.</summary>
    public bool HasRoom => Records < options.QueueRecords && Bytes < options.QueueBytes;

    /// <summary>Whether as much is written as who reads fast needs. What lies in the queue longer outlives a collection of garbage, which costs more than to read it.</summary>
    public bool IsAhead => Records >= AheadRecords || Bytes >= AheadBytes;

    private long Records => _writtenRecords - Volatile.Read(ref _takenRecords);

    private long Bytes => _writtenBytes - Volatile.Read(ref _takenBytes);

    private long AheadRecords => Math.Min(Ahead, options.QueueRecords);

    private long AheadBytes => options.QueueBytes / 8;

    private bool IsHalfEmpty => Records * 2 <= AheadRecords && Bytes * 2 <= AheadBytes;

    /// <summary>Writes an entry, which is handed over with others: see <see cref="HandOver"/>.</summary>
    public void Write(SourceEntry entry)
    {
        _written.Add(entry);
        Volatile.Write(ref _writtenRecords, _writtenRecords + 1);
        Volatile.Write(ref _writtenBytes, _writtenBytes + Size(entry));
        if (_written.Count >= Batch)
            HandOver();
    }

    /// <summary>Hands over what is written: to be called before anything is waited for.</summary>
    public void HandOver()
    {
        if (_written.Count == 0)
            return;
        _batches.Writer.TryWrite(_written);
        _written = new List<SourceEntry>(Batch);
    }

    /// <summary>Says that all is read.</summary>
    public void End()
    {
        HasEnded = true;
        Write(new SourceEntry.Ended(default));
        HandOver();
    }

    /// <summary>Says that a new epoch is needed; what was not taken yet is dropped.</summary>
    public void Change()
    {
        if (_isChanged)
            return;
        _isChanged = true;
        // Wakes who waits for an entry.
        _batches.Writer.TryWrite([]);
    }

    public void Fail(Exception failure)
    {
        HandOver();
        _batches.Writer.TryComplete(failure);
    }

    /// <summary>Whether more than half of what is <see cref="IsAhead"/> waits to be taken: the reader then says when it does not any more.</summary>
    public bool AwaitsRoom()
    {
        HandOver();
        _waitsForRoom = true;
        // Before what is in the queue is looked at: who takes it looks the other way round.
        Interlocked.MemoryBarrier();
        return !IsHalfEmpty;
    }

    /// <summary>An entry of a batch is read, and makes room.</summary>
    public void Took(SourceEntry entry)
    {
        Volatile.Write(ref _takenRecords, _takenRecords + 1);
        Volatile.Write(ref _takenBytes, _takenBytes + Size(entry));
        if (_waitsForRoom)
            TellOfRoom();
    }

    /// <summary>What is written, many entries at a time; who reads them says so of each.</summary>
    public async IAsyncEnumerable<IReadOnlyList<SourceEntry>> BatchesAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        try
        {
            while (await _batches.Reader.WaitToReadAsync(cancellation))
            {
                while (!_isChanged && _batches.Reader.TryRead(out var batch))
                    yield return batch;
                // Whoever began to wait while the last entry was taken must not be missed.
                Interlocked.MemoryBarrier();
                if (_waitsForRoom)
                    TellOfRoom();
                if (!_isChanged)
                    continue;
                yield return [new SourceEntry.Changed(default)];
                await Task.Delay(Timeout.Infinite, cancellation);
            }
        }
        finally
        {
            _isLeft = true;
            readOn();
        }
    }

    private void TellOfRoom()
    {
        if (!IsHalfEmpty)
            return;
        _waitsForRoom = false;
        readOn();
    }

    private static long Size(SourceEntry entry) => EntryBytes + (entry is SourceEntry.Bytes bytes ? bytes.Json.Length : 0);
}

/// <summary>How far a partition is read. Belongs to the consumer's thread; lag alone is asked for from others.</summary>
internal sealed class PartitionReading(string source, long next, long high)
{
    private const long None = -1;

    private long _next = next;
    private long _told = next;
    private long _marker = None;

    /// <summary>Its name in positions: topic/partition.</summary>
    public string Source => source;

    /// <summary>Where the partition ended when it was last asked.</summary>
    public long High { get; } = high;

    /// <summary>The offset to read next.</summary>
    public long Next => Interlocked.Read(ref _next);

    /// <summary>Whether an end marker is the last thing in it.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Moves on over an offset; what lies between is absent. False where it is behind what was read.</summary>
    public bool MoveOver(long offset)
    {
        if (offset < _next)
            return false;
        _marker = None;
        Interlocked.Exchange(ref _next, offset + 1);
        return true;
    }

    /// <summary>An end marker was read at an offset that was just moved over: it counts unless something follows.</summary>
    public void Mark(long offset) => _marker = offset;

    /// <summary>What lies before a record and was not told of yet, as one entry; null: nothing. All up to and with the record is then told.</summary>
    public SourceEntry.Skipped? TellRecord(long offset) => Tell(offset, thenAt: offset + 1);

    /// <summary>The partition has nothing at an offset and above: what lies before and was not told of yet, up to an end marker that stands last.</summary>
    public SourceEntry.Skipped? TellEnd(long offset)
    {
        HasEnded = _marker != None;
        if (offset > _next)
            Interlocked.Exchange(ref _next, offset);
        var until = HasEnded ? _marker : offset;
        return Tell(until, thenAt: Math.Max(until, _told));
    }

    /// <summary>Goes on elsewhere, since what lies before is gone.</summary>
    public SourceEntry.Skipped Lose(long until)
    {
        var lost = new SourceEntry.Skipped(new Position(source, 0, _told), until, SkipReason.Lost);
        (_marker, _told) = (None, until);
        Interlocked.Exchange(ref _next, until);
        return lost;
    }

    private SourceEntry.Skipped? Tell(long until, long thenAt)
    {
        var skipped = until > _told ? new SourceEntry.Skipped(new Position(source, 0, _told), until, SkipReason.Absent) : null;
        _told = thenAt;
        return skipped;
    }
}
