using MassDpo.Kafka.Links;
using MassDpo.Wire;

namespace MassDpo.PipelineKit.Distributed.Log;

/// <summary>
/// Reads partitions assigned by hand, one message after the other, as <c>PartitionReader</c> does: the log that is away is waited for, a gap ends the link or is passed
/// over, and the place is committed some time after.
/// </summary>
public sealed class LogReader : IDisposable
{
    private static readonly TimeSpan CommitEvery = TimeSpan.FromSeconds(5);

    private readonly LogClient _client;
    private readonly string _topic;
    private readonly string? _group;
    private readonly bool _gapsFail;
    private readonly Func<LogRecord, CancellationToken, ValueTask> _handle;
    private readonly Action<Exception> _failed;
    private readonly CancellationTokenSource _stop = new();
    private readonly SortedDictionary<int, long> _next = [];
    private readonly SortedDictionary<int, long> _handled = [];
    private ITimer? _commit;

    /// <param name="client">of the process</param>
    /// <param name="topic">to read</param>
    /// <param name="group">under which the place is kept; null: it is not</param>
    /// <param name="gapsFail">whether a gap ends the link</param>
    /// <param name="begin">where to read, asked when the log is reached</param>
    /// <param name="handle">called for each message; the next one waits for it</param>
    /// <param name="failed">told why it cannot go on</param>
    public LogReader(LogClient client, string topic, string? group, bool gapsFail, Func<IReadOnlyDictionary<int, long>> begin, Func<LogRecord, CancellationToken, ValueTask> handle, Action<Exception> failed)
    {
        (_client, _topic, _group, _gapsFail, _handle, _failed) = (client, topic, group, gapsFail, handle, failed);
        client.Lane.Post(async _ => await RunAsync(begin), null);
    }

    /// <summary>Where to go on in a partition under a group: what it committed, or the beginning.</summary>
    public static long Stored(SimulatedLog log, string group, string topic, int partition) => log.Committed(group, topic, partition) ?? log.At(topic, partition).Low;

    public void Dispose()
    {
        if (_stop.IsCancellationRequested)
            return;
        _stop.Cancel();
        // Whoever leaves in order leaves its place.
        Commit();
        _client.Log.Wake();
    }

    private async Task RunAsync(Func<IReadOnlyDictionary<int, long>> begin)
    {
        try
        {
            while (!_client.IsReached)
                await Changed();
            foreach (var (partition, offset) in begin())
                _next[partition] = offset;
            while (true)
            {
                _stop.Token.ThrowIfCancellationRequested();
                if (Take() is { } record)
                    await HandleAsync(record);
                else
                    await Changed();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (Exception e) when (!_stop.IsCancellationRequested)
        {
            _failed(e);
        }
    }

    private Task Changed() => _client.Log.Change().WaitAsync(_stop.Token);

    // The next of a partition that has one; which is by chance.
    private LogRecord? Take()
    {
        if (!_client.IsReached)
            return null;
        var ready = _next.Keys.Where(partition => _client.Log.At(_topic, partition).High > _next[partition]).ToList();
        if (ready.Count == 0)
            return null;
        var drawn = ready[_client.Log.Below(ready.Count)];
        var at = _client.Log.At(_topic, drawn);
        if (_next[drawn] < at.Low)
        {
            if (_gapsFail)
                throw new LinkException($"topic '{_topic}' has forgotten messages that were not read yet: start this process again");
            _next[drawn] = at.Low;
        }
        return at[_next[drawn]++];
    }

    private async Task HandleAsync(LogRecord record)
    {
        try
        {
            await _handle(record, _stop.Token);
            if (_group is null)
                return;
            _handled[record.Partition] = record.Offset + 1;
            _commit ??= _client.Lane.Clock.CreateTimer(_ => Commit(), null, CommitEvery, Timeout.InfiniteTimeSpan);
        }
        catch (WireFormatException)
        {
            // Left out, as by the real one.
        }
    }

    private void Commit()
    {
        _commit?.Dispose();
        _commit = null;
        foreach (var (partition, offset) in _handled)
            _client.Call(_group!, partition, () => _client.Log.Commit(_group!, _topic, partition, offset));
        _handled.Clear();
    }
}
