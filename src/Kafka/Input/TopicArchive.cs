using System.Runtime.CompilerServices;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Records;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Input;

/// <summary>
/// What a topic of records holds, once, from its beginning to where it ends now: for who reads again what a run has read. Positions are those that a
/// <see cref="KafkaSource"/> gives; partitions come in any order among each other.
/// </summary>
/// <param name="client">how to reach the cluster</param>
/// <param name="topic">of the records</param>
/// <param name="maxRecordBytes">bytes that a record may have</param>
public sealed class TopicArchive(KafkaOptions client, string topic, int maxRecordBytes) : IRecordSource
{
    private readonly RecordDecoders _decoders = new();

    public string Name => topic;

    public string Identity => KafkaSource.IdentityOf(topic);

    public long? EstimatedRecords => null;

    public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var message in TopicReader.ReadAsync(client, topic, fromBeginning: true, untilEnd: true, cancellation))
        {
            var headers = RecordHeaders.Of(message.Headers);
            if (message.Value is { } value && !headers.IsEnd)
                yield return _decoders.Entry($"{topic}/{message.Partition}", message.Offset, value, headers, message.Time, maxRecordBytes);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
