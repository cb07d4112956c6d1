using Confluent.Kafka;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Records;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Input;

/// <summary>How a <see cref="RecordFeed"/> works.</summary>
public sealed record RecordFeedOptions
{
    /// <summary>Records a second at most; null: as fast as it goes.</summary>
    public double? Rate { get; init; }

    /// <summary>Whether every partition gets an end marker once the source has ended.</summary>
    public bool End { get; init; }

    /// <summary>Whether it goes on where an earlier feed of the same stream stopped; else it appends.</summary>
    public bool Resumes { get; init; }

    /// <summary>What the order of the stream depends on beside the source's data, such as a seed: to go on, all of it must be the same.</summary>
    public string Order { get; init; } = "";
}

/// <summary>
/// Writes what a source gives to a topic: the n-th record (from 0) to partition n modulo their number, with its position as the event's id. What a partition
/// holds is therefore a beginning of the part of the stream that belongs to it, whenever the feed is stopped or killed, and its last message tells how long a
/// beginning: a feed that resumes passes over that much, so that nothing is lost and nothing is there twice.
/// </summary>
public sealed class RecordFeed(IRecordSource source, KafkaOptions client, string topic, RecordFeedOptions options, TimeProvider clock)
{
    private static readonly (int Pass, long Index) Nothing = (-1, -1);
    private static readonly (int Pass, long Index) All = (int.MaxValue, long.MaxValue);

    private long _found;
    private long _handedOver;

    /// <summary>Records that were in the topic already.</summary>
    public long Found => Interlocked.Read(ref _found);

    /// <summary>Records handed over to the cluster by this feed.</summary>
    public long HandedOver => Interlocked.Read(ref _handedOver);

    // Whose records they are: the data, and the order in which it is given.
    private string EventSource => $"urn:massdpo:{Uri.EscapeDataString(source.Name)}:{ContentHash.Of($"{source.Identity}\n{options.Order}")}";

    /// <summary>Feeds until the source ends or it is stopped; the topic has then all that was handed over.</summary>
    /// <returns>whether all of the stream is there; false: it was stopped before</returns>
    /// <exception cref="ProduceException">the cluster does not take a record</exception>
    /// <exception cref="IOException">the cluster cannot be reached, or has no such topic</exception>
    /// <exception cref="InvalidDataException">a record is longer than one may be, or the topic holds what this stream has not written</exception>
    public async Task<bool> RunAsync(CancellationToken stop)
    {
        var reached = await ReachedAsync(stop);
        using var producer = new RecordProducer(client, topic);
        var ended = false;
        try
        {
            ended = await FeedAsync(producer, reached, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
        catch (InvalidDataException)
        {
            // What came before is good.
            await producer.FlushAsync(CancellationToken.None);
            throw;
        }
        if (ended && options.End)
            for (var partition = 0; partition < reached.Length; partition++)
                if (reached[partition] != All)
                    await producer.ProduceAsync("an end marker", null, [], EndHeaders(), CancellationToken.None, partition);
        await producer.FlushAsync(CancellationToken.None);
        return ended;
    }

    private async Task<bool> FeedAsync(RecordProducer producer, (int Pass, long Index)[] reached, CancellationToken stop)
    {
        if (reached.All(position => position == All))
            return true;
        var (began, number) = (clock.GetTimestamp(), 0L);
        await foreach (var entry in source.ReadAsync(new SettledPositions(), stop))
        {
            if (entry is not (SourceEntry.Bytes or SourceEntry.Made))
                continue;
            var partition = (int)(number++ % reached.Length);
            if ((entry.Position.Pass, entry.Position.Index).CompareTo(reached[partition]) <= 0)
            {
                Interlocked.Increment(ref _found);
                continue;
            }
            stop.ThrowIfCancellationRequested();
            var (name, value) = Value(entry);
            await producer.ProduceAsync(name, null, value, CloudEvents.Of(CloudEvents.RecordType, EventSource, entry.Position.ToString()), CancellationToken.None, partition);
            Interlocked.Increment(ref _handedOver);
            if (options.Rate is { } perSecond && TimeSpan.FromSeconds(HandedOver / perSecond) - clock.GetElapsedTime(began) is var early && early > TimeSpan.FromMilliseconds(10))
                await Task.Delay(early, clock, stop);
        }
        return true;
    }

    // Per partition, up to where this stream is there.
    private async Task<(int Pass, long Index)[]> ReachedAsync(CancellationToken stop)
    {
        var ends = await TopicEnds.ReadAsync(client, topic, stop);
        return options.Resumes ? [.. ends.Select((end, partition) => Reached(end, partition))] : [.. ends.Select(_ => Nothing)];
    }

    private (int Pass, long Index) Reached(TopicMessage? last, int partition)
    {
        if (last is null)
            return Nothing;
        if (CloudEvents.Read(last.Headers, "ce_source") != EventSource)
            throw new InvalidDataException($"{topic}/{partition} ends at offset {last.Offset} with a message that this stream has not written: another program writes to the topic, or data, order or seed "
                + "are not those that it was begun with. Go on with the same ones, or give the stream a topic of its own; massdpo produce appends whatever a topic holds");
        if (EndMarker.Is(last.Headers))
            return All;
        var position = Position.Parse(CloudEvents.Read(last.Headers, "ce_id") ?? "");
        return (position.Pass, position.Index);
    }

    private Headers EndHeaders()
    {
        var headers = CloudEvents.Of(EndMarker.EventType, EventSource, "end");
        CloudEvents.Add(headers, EndMarker.Header, "1");
        return headers;
    }

    private static (string Name, byte[] Value) Value(SourceEntry entry) => entry switch
    {
        SourceEntry.Bytes { Oversize: { } length } line => throw new InvalidDataException($"{line.File}, line {line.Line} has {length} bytes: more than ingest.max-record-bytes"),
        SourceEntry.Bytes line => ($"{line.File}, line {line.Line}", line.Json.ToArray()),
        SourceEntry.Made made => (made.Position.ToString(), Json(made)),
        _ => throw new ArgumentException($"{entry.GetType().Name} is no record", nameof(entry)),
    };

    private static byte[] Json(SourceEntry.Made made)
    {
        try
        {
            return RecordJson.Of(made.Record);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{made.Position}: {e.Message}", e);
        }
    }
}
