using System.Buffers.Binary;
using MassDpo.Shared.Numerics;

namespace MassDpo.PolicyKit;

/// <summary>
/// Malformed Protobuf made from whole messages by a seed, without their schema: fields dropped, doubled, moved, of another number or wire type, numbers at their
/// limits, NaNs, lengths that claim more than there is; at any depth, with the lengths around them right. And what <see cref="Mutations"/> does to bytes.
/// </summary>
public static class ProtobufMutations
{
    private const int Deepest = 8;
    private const int Varint = 0, Fixed64 = 1, Text = 2, Fixed32 = 5;

    private static readonly ulong[] Numbers =
    [
        0, 1, 2, 127, 1 << 20, int.MaxValue, 1UL << 31, 1UL << 40, long.MaxValue, 1UL << 63, ulong.MaxValue, unchecked((ulong)int.MinValue), unchecked((ulong)-2L), ulong.MaxValue - 1_000_000,
    ];

    private static readonly double[] Reals = [double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, 1e308, -1e308, double.Epsilon, 1];

    private static readonly ulong[] Lengths = [1, 100, 1 << 20, int.MaxValue, 1UL << 31, 1UL << 40, long.MaxValue, ulong.MaxValue];

    /// <summary>One to three changes to <paramref name="whole"/>.</summary>
    public static byte[] Of(ReadOnlySpan<byte> whole, ref StableRandom random)
    {
        if (random.Below(3) == 0)
            return Mutations.Of(whole, ref random);
        var bytes = whole.ToArray();
        for (var changes = 1 + random.Below(3); changes > 0; changes--)
            bytes = Changed(bytes, Deepest, ref random) ?? Mutations.Of(bytes, ref random);
        return bytes;
    }

    // Null: these bytes are no fields.
    private static byte[]? Changed(byte[] message, int depth, ref StableRandom random)
    {
        if (Fields(message) is not { Count: > 0 } fields)
            return null;
        var at = random.Below(fields.Count);
        var field = fields[at];
        if (field.Wire == Text && depth > 0 && random.Below(3) > 0 && Changed(field.Value, depth - 1, ref random) is { } inside)
            fields[at] = field with { Value = inside };
        else
            Change(fields, at, ref random);
        return [.. fields.SelectMany(one => one.Bytes())];
    }

    private static void Change(List<Field> fields, int at, ref StableRandom random)
    {
        var field = fields[at];
        switch (random.Below(7))
        {
            case 0:
                fields.RemoveAt(at);
                break;
            case 1:
                for (var times = field.Value.Length < 256 && random.Below(10) == 0 ? 100 : 1; times > 0; times--)
                    fields.Insert(at, field);
                break;
            case 2:
                var to = random.Below(fields.Count);
                (fields[at], fields[to]) = (fields[to], field);
                break;
            case 3:
                fields[at] = field with { Number = 1 + random.Below(16) };
                break;
            // The bytes stay: what follows them is read from another place.
            case 4:
                fields[at] = field with { Wire = random.Below(8), Claimed = field.Wire == Text ? (ulong)field.Value.Length : null };
                break;
            default:
                fields[at] = field.Wire switch
                {
                    Varint => field with { Value = OfNumber(Numbers[random.Below(Numbers.Length)]) },
                    Fixed64 => field with { Value = OfReal(Reals[random.Below(Reals.Length)], 8) },
                    Fixed32 => field with { Value = OfReal(Reals[random.Below(Reals.Length)], 4) },
                    _ => OfOther(field, fields[random.Below(fields.Count)], ref random),
                };
                break;
        }
    }

    // Packed numbers, a text or a message: another one's, numbers, NaNs, nothing, or a length that claims more.
    private static Field OfOther(Field field, Field other, ref StableRandom random) => random.Below(5) switch
    {
        0 => field with { Claimed = Lengths[random.Below(Lengths.Length)] },
        1 => field with { Value = [] },
        2 => field with { Value = other.Value },
        3 => field with { Value = [.. OfNumber(Numbers[random.Below(Numbers.Length)]), .. OfNumber(Numbers[random.Below(Numbers.Length)])] },
        _ => field with { Value = [.. Enumerable.Repeat(OfReal(Reals[random.Below(Reals.Length)], random.Below(2) == 0 ? 4 : 8), Math.Max(1, field.Value.Length / 8)).SelectMany(one => one)] },
    };

    private static List<Field>? Fields(ReadOnlySpan<byte> message)
    {
        var fields = new List<Field>();
        while (!message.IsEmpty)
        {
            if (!TakeNumber(ref message, out var tag, out _) || tag >> 3 is 0 or > 1 << 20)
                return null;
            var (length, wire) = (0UL, (int)(tag & 7));
            switch (wire)
            {
                case Varint:
                    if (!TakeNumber(ref message, out _, out var bytes))
                        return null;
                    fields.Add(new Field((int)(tag >> 3), wire, bytes));
                    continue;
                case Fixed64:
                    length = 8;
                    break;
                case Fixed32:
                    length = 4;
                    break;
                case Text when TakeNumber(ref message, out length, out _):
                    break;
                default:
                    return null;
            }
            if (length > (ulong)message.Length)
                return null;
            fields.Add(new Field((int)(tag >> 3), wire, message[..(int)length].ToArray()));
            message = message[(int)length..];
        }
        return fields;
    }

    private static bool TakeNumber(ref ReadOnlySpan<byte> from, out ulong number, out byte[] bytes)
    {
        (number, bytes) = (0, []);
        for (var i = 0; i < from.Length && i < 10; i++)
        {
            number |= (ulong)(from[i] & 0x7F) << (7 * i);
            if (from[i] < 0x80)
            {
                bytes = from[..(i + 1)].ToArray();
                from = from[(i + 1)..];
                return true;
            }
        }
        return false;
    }

    private static byte[] OfNumber(ulong number)
    {
        var bytes = new List<byte>();
        for (; number >= 0x80; number >>= 7)
            bytes.Add((byte)(number | 0x80));
        bytes.Add((byte)number);
        return [.. bytes];
    }

    private static byte[] OfReal(double real, int size)
    {
        var bytes = new byte[size];
        if (size == 8)
            BinaryPrimitives.WriteDoubleLittleEndian(bytes, real);
        else
            BinaryPrimitives.WriteSingleLittleEndian(bytes, (float)real);
        return bytes;
    }

    /// <param name="Number">of the field</param>
    /// <param name="Wire">its wire type</param>
    /// <param name="Value">without a length</param>
    /// <param name="Claimed">the length that is written before it; null: its own</param>
    private sealed record Field(int Number, int Wire, byte[] Value, ulong? Claimed = null)
    {
        public IEnumerable<byte> Bytes()
        {
            var tag = OfNumber(((ulong)Number << 3) | (uint)Wire);
            return Wire == Text || Claimed is not null ? tag.Concat(OfNumber(Claimed ?? (ulong)Value.Length)).Concat(Value) : tag.Concat(Value);
        }
    }
}
