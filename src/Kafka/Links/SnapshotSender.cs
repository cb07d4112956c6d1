using System.Security.Cryptography;
using Confluent.Kafka;
using MassDpo.Shared.Links;
using MassDpo.Wire;

namespace MassDpo.Kafka.Links;

/// <summary>
/// Sends snapshots, one after the other, on a thread of its own: while one is on its way only the newest of those that come is kept. The reference policy that
/// goes with it is sent once an epoch, and told of again as long as it is the same.
/// </summary>
internal sealed class SnapshotSender : IDisposable
{
    private const int MostChunkBytes = 512 << 10;
    private const int LeastChunkBytes = 64 << 10;

    private readonly KafkaLinkOptions _options;
    private readonly string _topic;
    private readonly ISnapshotFormat _format;
    private readonly LinkProducer _producer;
    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _wake = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;
    private PolicySnapshot? _next;
    private PolicySnapshot? _newest;
    private SnapshotBlob? _reference;
    private long _referenceEpoch;
    private IReadOnlyList<int>? _partitions;

    public SnapshotSender(KafkaLinkOptions options, string topic, ISnapshotFormat format)
    {
        (_options, _topic, _format) = (options, topic, format);
        _producer = new LinkProducer(options, "massdpo-snapshots");
        _thread = new Thread(Run) { IsBackground = true, Name = "massdpo-snapshots" };
        _thread.Start();
    }

    public void Send(PolicySnapshot snapshot)
    {
        PolicySnapshot? dropped;
        lock (_lock)
        {
            if (snapshot.IsNewerThan(_newest))
                (dropped, _next, _newest) = (_next, snapshot, snapshot);
            else
                dropped = snapshot;
            _wake.Set();
        }
        dropped?.Release();
    }

    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        _producer.Dispose();
        lock (_lock)
            _next?.Release();
    }

    private void Run()
    {
        try
        {
            while (true)
            {
                _wake.Wait(_stop.Token);
                PolicySnapshot? snapshot;
                lock (_lock)
                {
                    (snapshot, _next) = (_next, null);
                    _wake.Reset();
                }
                if (snapshot is null)
                    continue;
                try
                {
                    Send(snapshot, _stop.Token);
                }
                finally
                {
                    snapshot.Release();
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            _options.Failed(e);
        }
    }

    private void Send(PolicySnapshot snapshot, CancellationToken cancellation)
    {
        using var lease = snapshot.TryAcquire()!;
        _partitions ??= KafkaSnapshotsLink.ChunkPartitions(Clients.CountPartitions(_options.Kafka, _producer.Handle, _topic));
        if (lease.Reference is { } reference && (_reference?.Hash != reference.Hash || _referenceEpoch != lease.Epoch))
            (_reference, _referenceEpoch) = (SendBlob(reference.Tensors, () => reference.Hash, cancellation), lease.Epoch);
        var policy = SendBlob(lease.Tensors, () => lease.Hash, cancellation);
        var manifest = new SnapshotManifest(lease.Epoch, lease.Version, policy, lease.Reference is null ? null : _reference);
        _producer.SendAsync(KafkaSnapshotsLink.Manifests(_topic), null, manifest.Encode(), headers: null, arrived: null, cancellation).AsTask().GetAwaiter().GetResult();
    }

    // The client sends one chunk while the next is written and hashed.
    private SnapshotBlob SendBlob(ISnapshotTensors tensors, Func<string> hash, CancellationToken cancellation)
    {
        var size = (int)Math.Clamp((_format.MaxBytes + _partitions!.Count - 1) / _partitions.Count, LeastChunkBytes, MostChunkBytes);
        var chunks = new List<Task<SnapshotChunk>>();
        using var stream = new ChunkStream(size, chunk => chunks.Add(SendChunk(chunk, _partitions[chunks.Count % _partitions.Count], cancellation)));
        _format.Write(tensors, stream);
        stream.Complete();
        // While the last ones are on their way.
        var hashed = hash();
        var sent = Task.WhenAll(chunks);
        sent.Wait(cancellation);
        return new SnapshotBlob(hashed, stream.Length, sent.Result);
    }

    private Task<SnapshotChunk> SendChunk(byte[] chunk, int partition, CancellationToken cancellation)
    {
        var sent = new TaskCompletionSource<SnapshotChunk>(TaskCreationOptions.RunContinuationsAsynchronously);
        var digest = SHA256.HashData(chunk);
        _producer.SendAsync(new TopicPartition(_topic, partition), null, chunk, headers: null,
            place => sent.SetResult(new SnapshotChunk(place.Partition.Value, place.Offset.Value, chunk.Length, digest)), cancellation).AsTask().GetAwaiter().GetResult();
        return sent.Task;
    }
}
