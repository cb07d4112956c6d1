using System.Security.Cryptography;
using Confluent.Kafka;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;
using MassDpo.Wire;

namespace MassDpo.Kafka.Links;

/// <summary>
/// Fetches the newest snapshot that is whole. One thread reads manifests; another fetches the chunks of the newest one, by their places, checks every hash,
/// and hands the snapshot on. One that is damaged, of another policy, or forgotten by the topic is told of and never loaded: the one before it is tried, or the next.
/// </summary>
internal sealed class SnapshotFetcher : IDisposable
{
    // How long a chunk is waited for before a newer snapshot goes before it.
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);

    // Manifests at the end of the topic that a newcomer looks at.
    private const int LookBack = 8;

    private readonly KafkaLinkOptions _options;
    private readonly string _topic;
    private readonly ISnapshotFormat _format;
    private readonly LocalSnapshotsLink _received;
    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _wake = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly PartitionReader _manifests;
    private readonly Thread _thread;
    // Not fetched yet, the newest last.
    private readonly List<SnapshotManifest> _waiting = [];
    private readonly Dictionary<int, long> _positions = [];
    private (long Epoch, long Version) _loaded = (long.MinValue, 0);
    private (long Epoch, long Version) _loading;
    private SharedTensors? _reference;
    private bool _caughtUp;
    private long _end;

    public SnapshotFetcher(KafkaLinkOptions options, string topic, ISnapshotFormat format, LocalSnapshotsLink received)
    {
        (_options, _topic, _format, _received) = (options, topic, format, received);
        _manifests = new PartitionReader(options, "massdpo-manifests", topic, AutoOffsetReset.Earliest, group: null, Begin, ReadManifest);
        _thread = new Thread(Run) { IsBackground = true, Name = "massdpo-snapshots" };
        _thread.Start();
    }

    public void Dispose()
    {
        _stop.Cancel();
        _manifests.Dispose();
        _thread.Join();
        _reference?.Release();
    }

    private List<TopicPartitionOffset> Begin(IConsumer<Ignore, byte[]?> consumer)
    {
        var place = KafkaSnapshotsLink.Manifests(_topic);
        var held = Clients.Watermarks(_options.Kafka, consumer, place);
        _end = held.High.Value;
        if (held.High == held.Low)
            CatchUp();
        return [new TopicPartitionOffset(place, Math.Max(held.Low.Value, held.High.Value - LookBack))];
    }

    private ValueTask ReadManifest(ConsumeResult<Ignore, byte[]?> result, CancellationToken cancellation)
    {
        try
        {
            // A topic of one partition has chunks here, too.
            if (result.Message.Value is { Length: > 0 } value && SnapshotManifest.Decode(value) is var manifest)
                Add(manifest);
        }
        finally
        {
            if (result.Offset.Value >= _end - 1)
                CatchUp();
        }
        return ValueTask.CompletedTask;
    }

    private void Add(SnapshotManifest manifest)
    {
        if (manifest.Policy.Length > _format.MaxBytes || manifest.Reference?.Length > _format.MaxBytes)
            throw new WireFormatException($"a snapshot of {Math.Max(manifest.Policy.Length, manifest.Reference?.Length ?? 0)} bytes, where this policy has at most {_format.MaxBytes}");
        lock (_lock)
        {
            var at = _waiting.FindIndex(other => (other.Epoch, other.Version).CompareTo((manifest.Epoch, manifest.Version)) > 0);
            _waiting.Insert(at < 0 ? _waiting.Count : at, manifest);
            if (_waiting.Count > LookBack)
                _waiting.RemoveAt(0);
            if (_caughtUp)
                _wake.Set();
        }
    }

    private void CatchUp()
    {
        lock (_lock)
        {
            _caughtUp = true;
            _wake.Set();
        }
    }

    private void Run()
    {
        try
        {
            using var consumer = Open();
            while (true)
            {
                _wake.Wait(_stop.Token);
                if (Next() is { } manifest)
                    Load(consumer, manifest);
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

    private SnapshotManifest? Next()
    {
        lock (_lock)
        {
            _waiting.RemoveAll(manifest => (manifest.Epoch, manifest.Version).CompareTo(_loaded) <= 0);
            if (_waiting.Count == 0)
            {
                _wake.Reset();
                return null;
            }
            var newest = _waiting[^1];
            _waiting.RemoveAt(_waiting.Count - 1);
            return newest;
        }
    }

    private bool HasNewerThan((long Epoch, long Version) snapshot)
    {
        lock (_lock)
            return _waiting.Count > 0 && (_waiting[^1].Epoch, _waiting[^1].Version).CompareTo(snapshot) > 0;
    }

    private void Load(IConsumer<Ignore, byte[]?> consumer, SnapshotManifest manifest)
    {
        _loading = (manifest.Epoch, manifest.Version);
        try
        {
            var reference = manifest.Reference is { } blob ? ReferenceOf(consumer, blob) : null;
            _received.Publish(new PolicySnapshot(manifest.Epoch, manifest.Version, Read(consumer, manifest.Policy), reference, manifest.Policy.Hash));
            _loaded = (manifest.Epoch, manifest.Version);
        }
        catch (InvalidDataException e)
        {
            _options.Note($"the snapshot of epoch {manifest.Epoch}, version {manifest.Version} was left out: {e.Message}");
        }
    }

    private SharedTensors ReferenceOf(IConsumer<Ignore, byte[]?> consumer, SnapshotBlob blob)
    {
        if (_reference?.Hash != blob.Hash)
        {
            var read = new SharedTensors(Read(consumer, blob), blob.Hash);
            _reference?.Release();
            _reference = read;
        }
        return _reference;
    }

    private ISnapshotTensors Read(IConsumer<Ignore, byte[]?> consumer, SnapshotBlob blob)
    {
        using var stream = new MemoryStream(Fetch(consumer, blob), writable: false);
        var tensors = _format.Read(stream);
        if (tensors.ComputeHash() is var hash && hash != blob.Hash)
        {
            tensors.Dispose();
            throw new InvalidDataException($"its tensors have hash {hash}, published was {blob.Hash}");
        }
        return tensors;
    }

    private byte[] Fetch(IConsumer<Ignore, byte[]?> consumer, SnapshotBlob blob)
    {
        var bytes = new byte[blob.Length];
        var at = new Dictionary<(int Partition, long Offset), (SnapshotChunk Chunk, int Start)>();
        var start = 0;
        foreach (var chunk in blob.Chunks)
        {
            at[(chunk.Partition, chunk.Offset)] = (chunk, start);
            start += chunk.Length;
        }
        foreach (var partition in blob.Chunks.GroupBy(chunk => chunk.Partition))
            MoveTo(consumer, partition.Key, partition.Min(chunk => chunk.Offset));
        while (at.Count > 0)
        {
            if (Consume(consumer) is not { } result)
            {
                if (HasNewerThan(_loading))
                    throw new InvalidDataException("its chunks did not come, and there is a newer one");
                RefuseWhatIsNotThere(consumer, at.Keys);
                continue;
            }
            var (partition, offset) = (result.Partition.Value, result.Offset.Value);
            _positions[partition] = offset + 1;
            if (!at.Remove((partition, offset), out var wanted))
            {
                // What was passed over will not come again.
                if (at.Keys.Any(place => place.Partition == partition && place.Offset < offset))
                    throw new InvalidDataException($"the topic has forgotten a chunk of it in partition {partition}, which begins at offset {offset} now");
                continue;
            }
            if (result.Message.Value is not { } value || value.Length != wanted.Chunk.Length || !SHA256.HashData(value).AsSpan().SequenceEqual(wanted.Chunk.Hash.Span))
                throw new InvalidDataException($"the chunk at {_topic}/{partition}, offset {offset} is damaged");
            value.CopyTo(bytes, wanted.Start);
        }
        return bytes;
    }

    // A manifest is written when its chunks are all there: one that names others would be waited for for ever.
    private void RefuseWhatIsNotThere(IConsumer<Ignore, byte[]?> consumer, IEnumerable<(int Partition, long Offset)> wanted)
    {
        foreach (var partition in wanted.GroupBy(place => place.Partition))
        {
            try
            {
                var end = consumer.QueryWatermarkOffsets(new TopicPartition(_topic, partition.Key), Turn).High.Value;
                if (partition.Max(place => place.Offset) is var last && last >= end)
                    throw new InvalidDataException($"its manifest names a chunk at {_topic}/{partition.Key}, offset {last}, but what is there ends at offset {end}");
            }
            catch (KafkaException e) when (e.Error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownPartition)
            {
                throw new InvalidDataException($"its manifest names a chunk in partition {partition.Key}, which '{_topic}' does not have");
            }
            catch (KafkaException)
            {
                // The cluster is away or busy: the client goes on trying.
            }
        }
    }

    // Chunks of one snapshot after the other stand side by side: mostly the consumer is there already, and has fetched ahead.
    private void MoveTo(IConsumer<Ignore, byte[]?> consumer, int partition, long offset)
    {
        if (!_positions.TryGetValue(partition, out var position))
            consumer.IncrementalAssign([new TopicPartitionOffset(_topic, partition, offset)]);
        else if (position != offset)
            consumer.Seek(new TopicPartitionOffset(_topic, partition, offset));
        _positions[partition] = offset;
    }

    private ConsumeResult<Ignore, byte[]?>? Consume(IConsumer<Ignore, byte[]?> consumer)
    {
        try
        {
            _stop.Token.ThrowIfCancellationRequested();
            return consumer.Consume(Turn);
        }
        catch (ConsumeException e) when (e.Error.IsFatal)
        {
            throw new LinkException($"topic '{_topic}' cannot be read: {_options.Kafka.Redact(e.Error.Reason)}", e);
        }
        catch (ConsumeException)
        {
            // The cluster is away or busy: the client goes on trying.
            return null;
        }
    }

    private IConsumer<Ignore, byte[]?> Open()
    {
        var config = new ConsumerConfig(_options.Kafka.Client("massdpo-snapshots"))
        {
            GroupId = "massdpo-snapshots",
            EnableAutoCommit = false,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            SocketNagleDisable = true,
            FetchErrorBackoffMs = 100,
        };
        return _options.Kafka.Build(() => new ConsumerBuilder<Ignore, byte[]?>(config).SetLogHandler((_, _) => { }).Build());
    }
}
