using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;

namespace MassDpo.Wire.Tests;

public sealed class ProtobufReaderTests
{
    // A message's own parts take a little, and so does what refuses it.
    private const long MostAllocated = 1 << 20;

    // Lengths at which adding to them overflows, and others that nobody has sent so much for.
    private static readonly byte[][] Lengths =
    [
        [0xFF, 0xFF, 0xFF, 0xFF, 0x07], [0xF0, 0xFF, 0xFF, 0xFF, 0x07], [0x80, 0xFE, 0xFF, 0xFF, 0x07], [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0x80, 0x80, 0x80, 0x80, 0x08], [0x80, 0x80, 0x80, 0x80, 0x04],
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
    ];

    public static TheoryData<string> Kinds => ["message", "notice", "selections", "pools", "manifest"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Whatever_length_is_claimed_at_any_place_it_is_read_or_refused_and_takes_no_memory(string kind)
    {
        var (samples, decode) = kind switch
        {
            "message" => (Samples.Messages.Select(MessageCodec.Encode), (Action<byte[]>)(bytes => MessageCodec.Decode(bytes))),
            "notice" => (Samples.Notices.Select(NoticeCodec.Encode), bytes => NoticeCodec.Decode(bytes)),
            "selections" => ([SelectionCodec.Encode(Samples.Selections())], bytes => SelectionCodec.Decode(bytes)),
            "pools" => ([PoolCodec.Encode(Samples.Pools())], bytes => PoolCodec.Decode(bytes)),
            _ => ([CodecTests.Manifest.Encode()], bytes => SnapshotManifest.Decode(bytes)),
        };
        foreach (var whole in samples)
            for (var at = 0; at < whole.Length; at++)
                foreach (var length in Lengths)
                    Read([.. whole[..at], .. length, .. whole[(at + 1)..]]);

        void Read(byte[] bytes)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                decode(bytes);
            }
            catch (WireFormatException e) when (e.Message.Length > 0)
            {
            }
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
        }
    }

    [Fact]
    public void A_length_beyond_what_is_left_is_told_of_with_its_field()
    {
        var refused = Assert.Throws<WireFormatException>(() => PoolCodec.Decode([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x08]));
        Assert.Equal("field 1 of a PoolBlock claims 2147483647 bytes where 1 are left", refused.Message);
    }
}
