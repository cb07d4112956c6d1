using Google.Protobuf.Reflection;

namespace MassDpo.Wire;

/// <summary>
/// Whether lengths in Protobuf are those of what is there. Google's parser adds a length to where it stands before it looks whether so much is left; near 2³¹ that overflows, and
/// then it knows no bounds: it reads beyond the end, or makes room for 2 GiB that nobody sent.
/// </summary>
internal static class ProtobufLengths
{
    private const int Varint = 0, Fixed64 = 1, Length = 2, GroupStart = 3, GroupEnd = 4, Fixed32 = 5;

    /// <summary>Looks through a message, in those of its fields that are messages too. What the parser refuses by itself is left to it.</summary>
    /// <exception cref="WireFormatException">a field claims to be longer than what is left</exception>
    public static void Check(MessageDescriptor message, ReadOnlySpan<byte> bytes)
    {
        for (var groups = 0; !bytes.IsEmpty;)
        {
            if (!TakeVarint(ref bytes, out var tag))
                return;
            var size = 0u;
            switch (tag & 7)
            {
                case Varint:
                    if (!TakeVarint(ref bytes, out _))
                        return;
                    continue;
                case GroupStart:
                    groups++;
                    continue;
                case GroupEnd:
                    groups--;
                    continue;
                case Fixed64:
                    size = 8;
                    break;
                case Fixed32:
                    size = 4;
                    break;
                case Length when TakeVarint(ref bytes, out size):
                    break;
                default:
                    return;
            }
            if (size > (uint)bytes.Length)
                throw new WireFormatException($"field {tag >> 3} of a {message.Name} claims {size} bytes where {bytes.Length} are left");
            // Of what stands in a group, which no message here has, all is unknown.
            if ((tag & 7) == Length && groups == 0 && message.FindFieldByNumber((int)(tag >> 3)) is { FieldType: FieldType.Message, MessageType: var inner })
                Check(inner, bytes[..(int)size]);
            bytes = bytes[(int)size..];
        }
    }

    // As the parser does: of more than 32 bits the lowest count.
    private static bool TakeVarint(ref ReadOnlySpan<byte> bytes, out uint value)
    {
        var all = 0UL;
        for (var i = 0; i < Math.Min(bytes.Length, 10); i++)
        {
            all |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                value = (uint)all;
                bytes = bytes[(i + 1)..];
                return true;
            }
        }
        value = 0;
        return false;
    }
}
