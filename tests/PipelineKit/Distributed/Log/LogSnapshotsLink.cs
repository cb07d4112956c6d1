using System.Security.Cryptography;
using MassDpo.Kafka.Links;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;
using MassDpo.Wire;

namespace MassDpo.PipelineKit.Distributed.Log;

/// <summary>
/// The snapshots link over a simulated log, on one thread, as <c>KafkaSnapshotsLink</c>: chunks over all partitions but the first, then a manifest there; the newest that is
/// whole is loaded.
/// </summary>
public sealed class LogSnapshotsLink : ISnapshotsLink, IDisposable
{
    private const int Manifests = 0;
    private const int ChunkBytes = 8 << 10;
    private const int LookBack = 8;

    private readonly LogClient _client;
    private readonly string _topic;
    private readonly ISnapshotFormat _format;
    private readonly Action<Exception> _failed;
    private readonly LocalSnapshotsLink _received = new();
    // Not loaded yet, the newest last.
    private readonly List<SnapshotManifest> _waiting = [];
    private PolicySnapshot? _next;
    private PolicySnapshot? _newest;
    private PolicySnapshot? _sending;
    private SnapshotLease? _lease;
    private (SnapshotBlob Blob, long Epoch)? _sentReference;
    private SharedTensors? _reference;
    private (long Epoch, long Version) _loaded = (long.MinValue, 0);
    private LogReader? _reader;
    private bool _loadPosted;
    private bool _caughtUp;
    private bool _disposed;
    private long _end;

    public LogSnapshotsLink(LogClient client, string topic, ISnapshotFormat format, Action<Exception> failed) => (_client, _topic, _format, _failed) = (client, topic, format, failed);

    /// <inheritdoc/>
    public void Publish(PolicySnapshot snapshot)
    {
        PolicySnapshot? dropped = snapshot;
        if (snapshot.IsNewerThan(_newest))
            (dropped, _next, _newest) = (_next, snapshot, snapshot);
        dropped?.Release();
        if (_sending is null)
            SendNext();
    }

    /// <inheritdoc/>
    public ISnapshotSubscription Subscribe(Action signal)
    {
        var subscription = _received.Subscribe(signal);
        _reader ??= new LogReader(_client, _topic, group: null, gapsFail: false, Begin, Read, _failed);
        return subscription;
    }

    public void Dispose()
    {
        _disposed = true;
        _reader?.Dispose();
        _lease?.Dispose();
        _next?.Release();
        _sending?.Release();
        _reference?.Release();
        (_next, _sending, _reference) = (null, null, null);
        _received.Dispose();
    }

    private void SendNext()
    {
        (_sending, _next) = (_next, null);
        if (_sending is not { } snapshot)
            return;
        var lease = _lease = snapshot.TryAcquire()!;
        if (lease.Reference is { } reference && (_sentReference?.Blob.Hash != reference.Hash || _sentReference?.Epoch != lease.Epoch))
            SendBlob(reference.Tensors, reference.Hash, blob =>
            {
                _sentReference = (blob, lease.Epoch);
                SendPolicy(lease);
            });
        else
            SendPolicy(lease);
    }

    private void SendPolicy(SnapshotLease lease) => SendBlob(lease.Tensors, lease.Hash, policy =>
    {
        _client.Send(_topic, Manifests, new SnapshotManifest(lease.Epoch, lease.Version, policy, lease.Reference is null ? null : _sentReference!.Value.Blob).Encode());
        lease.Dispose();
        _sending?.Release();
        _sending = null;
        if (!_disposed)
            SendNext();
    });

    private void SendBlob(ISnapshotTensors tensors, string hash, Action<SnapshotBlob> sent)
    {
        var cut = new List<byte[]>();
        using var stream = new ChunkStream(ChunkBytes, cut.Add);
        _format.Write(tensors, stream);
        stream.Complete();
        var (chunks, left, length) = (new SnapshotChunk[cut.Count], cut.Count, stream.Length);
        var partitions = KafkaSnapshotsLink.ChunkPartitions(_client.Log.CountPartitions(_topic));
        for (var i = 0; i < cut.Count; i++)
        {
            var (number, partition) = (i, partitions[i % partitions.Count]);
            _client.Send(_topic, partition, cut[i], arrived: offset =>
            {
                chunks[number] = new SnapshotChunk(partition, offset, cut[number].Length, SHA256.HashData(cut[number]));
                if (--left == 0)
                    sent(new SnapshotBlob(hash, length, chunks));
            });
        }
    }

    private Dictionary<int, long> Begin()
    {
        var held = _client.Log.At(_topic, Manifests);
        _end = held.High;
        _caughtUp = held.High == held.Low;
        return new Dictionary<int, long> { [Manifests] = Math.Max(held.Low, held.High - LookBack) };
    }

    private ValueTask Read(LogRecord record, CancellationToken cancellation)
    {
        var manifest = SnapshotManifest.Decode(record.Value);
        var at = _waiting.FindIndex(other => (other.Epoch, other.Version).CompareTo((manifest.Epoch, manifest.Version)) > 0);
        _waiting.Insert(at < 0 ? _waiting.Count : at, manifest);
        if (_waiting.Count > LookBack)
            _waiting.RemoveAt(0);
        _caughtUp |= record.Offset >= _end - 1;
        LoadOn();
        return ValueTask.CompletedTask;
    }

    private void LoadOn()
    {
        if (!_caughtUp || _loadPosted || _disposed)
            return;
        _loadPosted = true;
        // The chunks are fetched on the way that all answers take.
        _client.Hear(() =>
        {
            _loadPosted = false;
            if (!_disposed)
                LoadNewest();
        });
    }

    private void LoadNewest()
    {
        _waiting.RemoveAll(manifest => (manifest.Epoch, manifest.Version).CompareTo(_loaded) <= 0);
        if (_waiting.Count == 0)
            return;
        var newest = _waiting[^1];
        _waiting.RemoveAt(_waiting.Count - 1);
        try
        {
            var reference = newest.Reference is { } blob ? ReferenceOf(blob) : null;
            _received.Publish(new PolicySnapshot(newest.Epoch, newest.Version, Load(newest.Policy), reference, newest.Policy.Hash));
            _loaded = (newest.Epoch, newest.Version);
        }
        catch (InvalidDataException)
        {
            _client.Log.Saw("snapshot left out: not whole any more");
        }
        LoadOn();
    }

    private SharedTensors ReferenceOf(SnapshotBlob blob)
    {
        if (_reference?.Hash != blob.Hash)
        {
            var read = new SharedTensors(Load(blob), blob.Hash);
            _reference?.Release();
            _reference = read;
        }
        return _reference;
    }

    private ISnapshotTensors Load(SnapshotBlob blob)
    {
        var bytes = new MemoryStream();
        foreach (var chunk in blob.Chunks)
        {
            if (_client.Log.At(_topic, chunk.Partition)[chunk.Offset] is not { } record)
                throw new InvalidDataException($"the topic has forgotten a chunk of it in partition {chunk.Partition}");
            if (record.Value.Length != chunk.Length || !SHA256.HashData(record.Value).AsSpan().SequenceEqual(chunk.Hash.Span))
                throw new InvalidDataException($"the chunk at {_topic}/{chunk.Partition}, offset {chunk.Offset} is damaged");
            bytes.Write(record.Value);
        }
        bytes.Position = 0;
        var tensors = _format.Read(bytes);
        if (tensors.ComputeHash() == blob.Hash)
            return tensors;
        tensors.Dispose();
        throw new InvalidDataException($"its tensors have another hash than {blob.Hash}");
    }
}
