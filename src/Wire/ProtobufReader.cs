using Google.Protobuf;

namespace MassDpo.Wire;

/// <summary>Reads Protobuf that others wrote: whatever is wrong with the bytes, it is one exception.</summary>
public static class ProtobufReader
{
    /// <summary>The message that the bytes are.</summary>
    /// <exception cref="WireFormatException">they are no such message</exception>
    public static T Read<T>(MessageParser<T> parser, ReadOnlySpan<byte> bytes) where T : IMessage<T> => Read(parser, bytes, message => message);

    /// <summary>What is made of the message that the bytes are.</summary>
    /// <param name="parser">of the message</param>
    /// <param name="bytes">see above</param>
    /// <param name="convert">may throw a <see cref="FormatException"/> or an <see cref="ArgumentException"/> where the message holds what none may</param>
    /// <exception cref="WireFormatException">they are no such message</exception>
    public static TResult Read<TMessage, TResult>(MessageParser<TMessage> parser, ReadOnlySpan<byte> bytes, Func<TMessage, TResult> convert) where TMessage : IMessage<TMessage>
    {
        try
        {
            ProtobufLengths.Check(parser.ParseFrom(ReadOnlySpan<byte>.Empty).Descriptor, bytes);
            return convert(parser.ParseFrom(bytes));
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or FormatException or ArgumentException or IndexOutOfRangeException)
        {
            throw e as WireFormatException ?? new WireFormatException($"these {bytes.Length} bytes are no {typeof(TMessage).Name}: {e.Message}", e);
        }
    }
}
