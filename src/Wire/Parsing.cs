using Google.Protobuf;
using MassDpo.Shared.Contracts;

namespace MassDpo.Wire;

/// <summary>What the codecs share: the contracts that stand inside others, read strictly.</summary>
internal static class Parsing
{
    public static T Required<T>(T? part, string name) where T : class => part ?? throw new WireFormatException($"'{name}' is missing");

    public static int Count(int value, string name) => value >= 0 ? value : throw new WireFormatException($"'{name}' is {value}");

    public static long Count(long value, string name) => value >= 0 ? value : throw new WireFormatException($"'{name}' is {value}");

    /// <summary>Token ids; which of them a policy has, it says itself.</summary>
    public static int[] Tokens(IReadOnlyCollection<int> tokens) => tokens.All(token => token >= 0) ? [.. tokens] : throw new WireFormatException($"a token {tokens.Min()}");

    /// <summary>A slot of a block, or one that is none of it: who looks it up there would miss.</summary>
    public static long Slot(long slot, SlotBlock block) =>
        slot >= block.First && slot - block.First < block.Count ? slot : throw new WireFormatException($"slot {slot} is none of {block}");

    public static V1.Position ToWire(Position position) => new() { Source = position.Source, Pass = position.Pass, Index = position.Index };

    public static Position FromWire(V1.Position? position)
    {
        var wire = Required(position, "position");
        return new Position(wire.Source, Count(wire.Pass, "pass"), Count(wire.Index, "index"));
    }

    public static V1.Block ToWire(SlotBlock block) => new() { Epoch = block.Epoch, Batch = block.Batch, First = block.First, Count = block.Count, Attempt = block.Attempt };

    public static SlotBlock FromWire(V1.Block? block)
    {
        var wire = Required(block, "block");
        var read = new SlotBlock(wire.Epoch, Count(wire.Batch, "batch"), Count(wire.First, "first"), Count(wire.Count, "count"), Count(wire.Attempt, "attempt"));
        return read.First <= long.MaxValue - read.Count ? read : throw new WireFormatException($"{read} has no last slot");
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
        var told = new HashSet<(string, int)>();
        foreach (var pass in passes)
        {
            // In order and once each, as they are written: what is not would cost its square to put in order.
            if (!told.Add((pass.Source, pass.Pass)))
                throw new WireFormatException($"settled positions of '{pass.Source}': pass {pass.Pass} comes twice");
            if (pass.Bounds.Count % 2 != 0)
                throw new WireFormatException($"settled positions of '{pass.Source}': an interval has no end");
            for (var i = 0; i < pass.Bounds.Count; i += 2)
            {
                if (pass.Bounds[i] < (i == 0 ? 0 : pass.Bounds[i - 1]) || pass.Bounds[i + 1] <= pass.Bounds[i])
                    throw new WireFormatException($"settled positions of '{pass.Source}': [{pass.Bounds[i]}, {pass.Bounds[i + 1]}) is no interval, or out of order");
                settled.AddRange(new Position(pass.Source, Count(pass.Pass, "pass"), pass.Bounds[i]), pass.Bounds[i + 1]);
            }
            if (pass.Bounds.Count == 0 && !pass.HasLength)
                settled.AddRange(new Position(pass.Source, Count(pass.Pass, "pass"), 0), 0);
            if (pass.HasLength)
                settled.EndPass(pass.Source, Count(pass.Pass, "pass"), Count(pass.Length, "length"));
        }
        return settled;
    }
}
