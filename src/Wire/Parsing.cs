using Google.Protobuf;
using MassDpo.Shared.Contracts;

namespace MassDpo.Wire;

/// <summary>What the codecs share: reading strictly, and the contracts that stand inside others.</summary>
internal static class Parsing
{
    /// <exception cref="WireFormatException">the bytes are no such message</exception>
    public static TResult Read<TMessage, TResult>(MessageParser<TMessage> parser, ReadOnlySpan<byte> bytes, Func<TMessage, TResult> convert) where TMessage : IMessage<TMessage>
    {
        try
        {
            return convert(parser.ParseFrom(bytes));
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or FormatException or ArgumentException)
        {
            throw e as WireFormatException ?? new WireFormatException($"these {bytes.Length} bytes are no {typeof(TMessage).Name}: {e.Message}", e);
        }
    }

    public static T Required<T>(T? part, string name) where T : class => part ?? throw new WireFormatException($"'{name}' is missing");

    public static int Count(int value, string name) => value >= 0 ? value : throw new WireFormatException($"'{name}' is {value}");

    public static V1.Position ToWire(Position position) => new() { Source = position.Source, Pass = position.Pass, Index = position.Index };

    public static Position FromWire(V1.Position? position)
    {
        var wire = Required(position, "position");
        return new Position(wire.Source, Count(wire.Pass, "pass"), wire.Index >= 0 ? wire.Index : throw new WireFormatException($"index {wire.Index}"));
    }

    public static V1.Block ToWire(SlotBlock block) => new() { Epoch = block.Epoch, Batch = block.Batch, First = block.First, Count = block.Count, Attempt = block.Attempt };

    public static SlotBlock FromWire(V1.Block? block)
    {
        var wire = Required(block, "block");
        return new SlotBlock(wire.Epoch, wire.Batch, wire.First, Count(wire.Count, "count"), wire.Attempt);
    }

    public static V1.Origin ToWire(RecordOrigin origin)
    {
        var wire = new V1.Origin
        {
            File = origin.File,
            Line = origin.Line,
            Raw = UnsafeByteOperations.UnsafeWrap(origin.Raw),
            RawLength = origin.RawLength,
            // Of what is there whole the hash can be had from it.
            RawHash = origin.RawLength > origin.Raw.Length ? origin.RawHash : "",
        };
        if (origin.Time is { } time)
            wire.Time = time.ToUnixTimeMilliseconds();
        return wire;
    }

    public static RecordOrigin FromWire(V1.Origin? origin)
    {
        var wire = Required(origin, "origin");
        var read = new RecordOrigin(wire.File, wire.Line, wire.Raw.Memory, wire.RawLength) { Time = wire.HasTime ? DateTimeOffset.FromUnixTimeMilliseconds(wire.Time) : null };
        return wire.RawHash.Length > 0 ? read with { RawHash = wire.RawHash } : read;
    }

    public static V1.DeadLetter ToWire(DeadLetter letter) =>
        new() { Position = ToWire(letter.Position), Code = letter.Code, Reason = letter.Reason, Origin = ToWire(letter.Origin) };

    public static DeadLetter FromWire(V1.DeadLetter? letter)
    {
        var wire = Required(letter, "letter");
        return new DeadLetter(FromWire(wire.Position), wire.Code, wire.Reason, FromWire(wire.Origin));
    }

    public static IEnumerable<V1.SettledPass> ToWire(SettledPositions settled)
    {
        foreach (var (source, number, intervals, length) in settled.Passes())
        {
            var pass = new V1.SettledPass { Source = source, Pass = number };
            foreach (var (start, end) in intervals)
                pass.Bounds.AddRange([start, end]);
            if (length is { } known)
                pass.Length = known;
            yield return pass;
        }
    }

    public static SettledPositions FromWire(IEnumerable<V1.SettledPass> passes)
    {
        var settled = new SettledPositions();
        foreach (var pass in passes)
        {
            if (pass.Bounds.Count % 2 != 0)
                throw new WireFormatException($"settled positions of '{pass.Source}': an interval has no end");
            for (var i = 0; i < pass.Bounds.Count; i += 2)
            {
                if (pass.Bounds[i] < 0 || pass.Bounds[i + 1] <= pass.Bounds[i])
                    throw new WireFormatException($"settled positions of '{pass.Source}': [{pass.Bounds[i]}, {pass.Bounds[i + 1]}) is no interval");
                settled.AddRange(new Position(pass.Source, Count(pass.Pass, "pass"), pass.Bounds[i]), pass.Bounds[i + 1]);
            }
            if (pass.Bounds.Count == 0 && !pass.HasLength)
                settled.AddRange(new Position(pass.Source, Count(pass.Pass, "pass"), 0), 0);
            if (pass.HasLength)
                settled.EndPass(pass.Source, Count(pass.Pass, "pass"), pass.Length);
        }
        return settled;
    }
}
