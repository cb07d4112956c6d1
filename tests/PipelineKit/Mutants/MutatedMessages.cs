using Google.Protobuf;
using MassDpo.Kafka.Input;
using MassDpo.Ingest.Records;
using MassDpo.LinkKit;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;
using MassDpo.Shared.Sources;
using MassDpo.Wire;
using V1 = MassDpo.Kafka.Input.Wire;

namespace MassDpo.PipelineKit.Mutants;

/// <summary>Readers of what comes over topics.</summary>
public static class MutatedTopics
{
    private static readonly SnapshotManifest Manifest = new(5, 9,
        new SnapshotBlob("abc", 700, [new SnapshotChunk(1, 17, 512, new byte[32]), new SnapshotChunk(2, 4, 188, new byte[32])]),
        new SnapshotBlob("def", 10, [new SnapshotChunk(3, 5, 10, new byte[32])]));

    public static IReadOnlyList<Func<MutatedInput>> All { get; } =
    [
        () => new MutatedProtobufRecords(),
        () => new MutatedMessage<ControlMessage>("control messages", [.. Samples.Messages.Select(MessageCodec.Encode)], bytes => MessageCodec.Decode(bytes), MessageCodec.Encode),
        () => new MutatedMessage<(ControlNotice? Notice, EpochClaim? Claim, string Claimant)>("notices and claims",
            [.. Samples.Notices.Select(NoticeCodec.Encode), NoticeCodec.Encode(new EpochClaim(4, 7, "hash", Forced: true) { Committed = 5 }, "me")],
            bytes => NoticeCodec.Decode(bytes), read => read.Claim is { } claim ? NoticeCodec.Encode(claim, read.Claimant) : NoticeCodec.Encode(read.Notice!)),
        () => new MutatedMessage<SelectionBlock>("selections", [SelectionCodec.Encode(Samples.Selections())], bytes => SelectionCodec.Decode(bytes), SelectionCodec.Encode),
        () => new MutatedMessage<PoolBlock>("pools", [PoolCodec.Encode(Samples.Pools())], bytes => PoolCodec.Decode(bytes), PoolCodec.Encode),
        () => new MutatedMessage<SnapshotManifest>("snapshot manifests", [Manifest.Encode()], bytes => SnapshotManifest.Decode(bytes), read => read.Encode()),
        () => new MutatedSnapshot(),
    ];
}

/// <summary>
/// A message of a codec. What is read must be what is written of it, and reading takes memory by what has come, never by what it claims.
/// </summary>
public sealed class MutatedMessage<T>(string name, IReadOnlyList<byte[]> whole, Func<byte[], T> decode, Func<T, byte[]> encode) : MutatedFile
{
    // The parser copies what it has of a message that comes again: a hundred-fold one takes some hundred bytes for each of its own.
    private const long MostAllocated = 4 << 20;
    private const long MostAllocatedPerByte = 1 << 10;

    public override string Name => name;

    protected override byte[] MutantOf(int i)
    {
        var random = new StableRandom(i, Name.Length, 0x9207);
        return ProtobufMutations.Of(whole[i % whole.Count], ref random);
    }

    protected override string Read(byte[] mutant, int i)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        T read;
        try
        {
            read = decode(mutant);
        }
        catch (WireFormatException e) when (e.Message.Length > 0)
        {
            return "refused";
        }
        finally
        {
            if (GC.GetAllocatedBytesForCurrentThread() - before is var bytes && bytes > MostAllocated + MostAllocatedPerByte * mutant.Length)
                throw new InvalidDataException($"{bytes:N0} bytes were allocated for {mutant.Length:N0}");
        }
        var again = encode(read);
        if (!encode(decode(again)).AsSpan().SequenceEqual(again))
            throw new InvalidDataException("what was read is not what is written of it");
        return "valid";
    }
}

/// <summary>Records in Protobuf, as the input topic may have them: through the decoder and the validator. Each is a pool or a dead letter.</summary>
internal sealed class MutatedProtobufRecords : MutatedFile
{
    // Few enough that a field a hundred times over is more.
    private const int MaxRecordBytes = 4096;

    private readonly RecordDecoders _decoders = new();
    private readonly RecordValidator _validator;
    private readonly byte[][] _whole =
    [
        .. new V1.PreferenceRecord[]
        {
            new() { Id = "r", History = new V1.History { Items = { "i1", "i2" } }, Candidates = { "i3", "i4", "i5" }, ChosenIndex = 1, Rewards = { 1.5, double.NaN, 0 }, MetaJson = """{"k":[1]}""" },
            new() { History = new V1.History { Items = { "i1" } }, Chosen = "i2", Rejected = { "i3", "i9" }, ReferenceLogps = { -1, -2, -3 } },
            new() { History = new V1.History { Items = { "i7", "i8" } }, Ranked = { "i1", "i2", "i3" } },
        }.Select(record => record.ToByteArray()),
    ];

    public MutatedProtobufRecords()
    {
        var config = MadePolicy.Config(vocabulary: 40, positions: 24);
        _validator = new RecordValidator(new RecordEncoder(WordLevelTokenizer.Create(MadePolicy.Items(config), splitsAtWhitespace: false), config), Duplicates.Drop, MaxRecordBytes);
    }

    public override string Name => "records in Protobuf";

    protected override byte[] MutantOf(int i)
    {
        var random = new StableRandom(i, Name.Length, 0x9207);
        return ProtobufMutations.Of(_whole[i % _whole.Length], ref random);
    }

    protected override string Read(byte[] mutant, int i)
    {
        var (pool, dead) = _validator.Validate(_decoders.Entry("clicks/3", i, mutant, new RecordHeaders("application/protobuf", null, null, false), null, MaxRecordBytes));
        if (pool is null == dead is null || dead is { Reason.Length: 0 })
            throw new InvalidDataException("both a pool and a dead letter, or neither, or one without a reason");
        return dead?.Code ?? "valid";
    }
}

/// <summary>The tensors of a snapshot, as they lie together once its chunks have come: what has another hash than was published is never loaded.</summary>
internal sealed class MutatedSnapshot : MutatedFile
{
    private readonly PolicyWeights _found = MadePolicy.Weights(MadePolicy.Config(vocabulary: 12, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1));
    private readonly PolicySnapshotFormat _format;
    private readonly byte[] _whole;
    private readonly byte[] _header;
    private readonly IReadOnlyList<byte[]> _others;
    private readonly string _hash;

    public MutatedSnapshot()
    {
        _format = new PolicySnapshotFormat(_found);
        (_whole, _hash) = (Written(_found), _found.ComputeHash());
        _header = _whole[8..(8 + (int)BitConverter.ToInt64(_whole))];
        _others =
        [
            .. new[] { MadePolicy.Config(vocabulary: 13, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1), MadePolicy.Config(vocabulary: 12, hidden: 8, layers: 2, heads: 2, keyValueHeads: 1),
                MadePolicy.Config(vocabulary: 12, hidden: 8, layers: 1, heads: 2, keyValueHeads: 2) }.Select(config =>
            {
                using var weights = MadePolicy.Weights(config);
                return Written(weights);
            }),
        ];
    }

    public override string Name => "snapshots";

    public override void Dispose()
    {
        _found.Dispose();
        base.Dispose();
    }

    // Others' as they are, too; half of the rest keep a prefix that fits, or the length of the header would be all that is ever tested.
    protected override byte[] MutantOf(int i)
    {
        if (i % 100 < _others.Count)
            return _others[i % 100];
        if (i % 2 == 0)
            return Mutant(i, [_whole]);
        var header = Mutant(i, [_header]);
        return [.. BitConverter.GetBytes((long)header.Length), .. header, .. _whole[(8 + _header.Length)..]];
    }

    protected override string Read(byte[] mutant, int i)
    {
        ISnapshotTensors read;
        try
        {
            read = _format.Read(new MemoryStream(mutant, writable: false));
        }
        catch (InvalidDataException e) when (e.Message.Length > 0)
        {
            return "refused";
        }
        using (read)
        {
            if (i % 100 < _others.Count)
                throw new InvalidDataException("the tensors of another policy were read");
            return read.ComputeHash() == _hash ? "valid" : "another hash";
        }
    }

    private static byte[] Written(PolicyWeights weights)
    {
        var stream = new MemoryStream();
        SafetensorsFile.Write(stream, weights.Tensors);
        return stream.ToArray();
    }
}
