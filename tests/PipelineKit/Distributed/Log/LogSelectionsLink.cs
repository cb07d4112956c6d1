using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Wire;

namespace MassDpo.PipelineKit.Distributed.Log;

/// <summary>The selections link over a simulated log, on one thread, as <c>KafkaSelectionsLink</c>.</summary>
public sealed class LogSelectionsLink(LogClient client, string topic, string group, Action<Exception> failed) : ISelectionsLink, IDisposable
{
    private LogReader? _receiver;

    /// <inheritdoc/>
    public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation)
    {
        var partition = block.Selector.Sum(letter => letter) % client.Log.CountPartitions(topic);
        client.Send(topic, partition, SelectionCodec.Encode(block), mayDouble: true);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver)
    {
        _receiver?.Dispose();
        return _receiver = new LogReader(client, topic, group + ".selections", gapsFail: false,
            () => Enumerable.Range(0, client.Log.CountPartitions(topic)).ToDictionary(partition => partition, partition => LogReader.Stored(client.Log, group + ".selections", topic, partition)),
            async (record, cancellation) => await deliver(SelectionCodec.Decode(record.Value), cancellation), failed);
    }

    public void Dispose() => _receiver?.Dispose();
}
