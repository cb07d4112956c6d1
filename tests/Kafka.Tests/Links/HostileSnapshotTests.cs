using System.Security.Cryptography;
using MassDpo.Kafka.Links;
using MassDpo.LinkKit;
using MassDpo.Shared.Links;
using MassDpo.Wire;

namespace MassDpo.Kafka.Tests.Links;

/// <summary>What befalls the chunks of a snapshot: it is never loaded, that is told, and the next one is.</summary>
public sealed class HostileSnapshotTests(LinkScene scene) : IClassFixture<LinkScene>, IDisposable
{
    private const int Size = 200_000;

    private readonly Ends<KafkaSnapshotsLink> _ends = scene.Topic(3, (options, topic) => new KafkaSnapshotsLink(options, topic, new NamedTensorsFormat(Size)));

    public void Dispose() => _ends.Dispose();

    private static readonly string[] Faults =
    [
        "corrupted", "doubled", "dropped", "out of order", "another partition", "no such partition", "another hash", "another's hash", "huge", "cut", "longer", "negative", "another shape", "no manifest",
        "nothing",
    ];

    [Fact]
    public async Task A_snapshot_that_is_not_whole_is_left_out_with_the_reason_and_the_next_is_loaded()
    {
        using var hostile = new HostileTopic(_ends.Kafka, _ends.Topic);
        var (learner, subscriber, version) = (_ends.End(), new Loaded(_ends.End()), 1);
        learner.Publish(new PolicySnapshot(1, version, new NamedTensors("1")));
        Assert.Equal((1, version, "1"), await subscriber.NextAsync());
        foreach (var fault in Faults)
        {
            // The learner's manifest and what the hostile one makes of it stand in turns.
            hostile.Write(0, Faulty(fault, SnapshotManifest.Decode(hostile.Read(0, 2 * (version - 1))), hostile));
            Assert.Contains(fault switch
            {
                "corrupted" or "out of order" => "is damaged",
                "dropped" or "another partition" => "what is there ends at offset",
                "no such partition" => "in partition 999, which",
                "doubled" or "another hash" or "another's hash" => "its tensors have hash",
                "huge" => "where this policy has at most",
                "another shape" => "199999 bytes",
                _ => "offset " + (2 * version - 1) + ": left out, ",
            }, (await _ends.Notes.Take(1)).Single());
            // An epoch and a version above all that the learner has did not lock it out.
            version++;
            learner.Publish(new PolicySnapshot(1, version, new NamedTensors(version.ToString())));
            Assert.Equal((1, version, version.ToString()), await subscriber.NextAsync());
        }
        Assert.Equal(0, _ends.Notes.Count);
    }

    private static byte[] Faulty(string fault, SnapshotManifest whole, HostileTopic hostile)
    {
        var (first, second) = (whole.Policy.Chunks[0], whole.Policy.Chunks[1]);
        return fault switch
        {
            "corrupted" => Of([At(first, hostile.Write(first.Partition, Flipped(hostile.Read(first.Partition, first.Offset))).Offset), .. whole.Policy.Chunks.Skip(1)]),
            // One in the place of another, and each with its own hash: only the hash of all of them tells.
            "doubled" => Of([first, first, .. whole.Policy.Chunks.Skip(2)]),
            "dropped" => Of([first with { Offset = first.Offset + 1000 }, .. whole.Policy.Chunks.Skip(1)]),
            "out of order" => Of([At(first, second.Offset) with { Partition = second.Partition }, At(second, first.Offset) with { Partition = first.Partition }, .. whole.Policy.Chunks.Skip(2)]),
            "another partition" => Of([first with { Partition = 0, Offset = 77 }, .. whole.Policy.Chunks.Skip(1)]),
            "no such partition" => Of([first with { Partition = 999 }, .. whole.Policy.Chunks.Skip(1)]),
            "another hash" => (whole with { Epoch = 9, Policy = whole.Policy with { Hash = "0000" } }).Encode(),
            "another's hash" => (whole with { Epoch = 9, Reference = whole.Policy with { Hash = "second" } }).Encode(),
            "huge" => Of([first, .. whole.Policy.Chunks.Skip(1), .. Enumerable.Range(0, 100).Select(i => first with { Offset = i, Length = int.MaxValue })]),
            "cut" => whole.Encode()[..^40],
            "longer" => (whole with { Epoch = 9, Policy = whole.Policy with { Length = whole.Policy.Length + 1 } }).Encode(),
            "negative" => Of([first with { Length = -first.Length }, .. whole.Policy.Chunks.Skip(1)]),
            "another shape" => Of([Written(hostile, first, hostile.Read(first.Partition, first.Offset)[..^1]), .. whole.Policy.Chunks.Skip(1)]),
            "no manifest" => [0xFF, 0x01, 0x02],
            _ => new SnapshotManifest(9, 9, new SnapshotBlob("", 0, []), null).Encode(),
        };

        byte[] Of(IReadOnlyList<SnapshotChunk> chunks) =>
            new SnapshotManifest(long.MaxValue, long.MaxValue, whole.Policy with { Length = chunks.Sum(chunk => (long)chunk.Length), Chunks = chunks }, null).Encode();
    }

    private static SnapshotChunk At(SnapshotChunk chunk, long offset) => chunk with { Offset = offset };

    private static SnapshotChunk Written(HostileTopic hostile, SnapshotChunk chunk, byte[] bytes) =>
        chunk with { Offset = hostile.Write(chunk.Partition, bytes).Offset, Length = bytes.Length, Hash = SHA256.HashData(bytes) };

    private static byte[] Flipped(byte[] bytes)
    {
        bytes[bytes.Length / 2] ^= 1;
        return bytes;
    }

    /// <summary>What was loaded, one after the other.</summary>
    private sealed class Loaded
    {
        private readonly Inbox<int> _signals = new();
        private readonly ISnapshotSubscription _subscription;

        public Loaded(ISnapshotsLink link) => _subscription = link.Subscribe(() => _signals.Add(0));

        public async Task<(long, long, string)> NextAsync()
        {
            while (true)
            {
                await _signals.Take(1);
                using var lease = _subscription.TryAcquire();
                if (lease is not null)
                    return (lease.Epoch, lease.Version, lease.Tensors.ComputeHash());
            }
        }
    }
}
