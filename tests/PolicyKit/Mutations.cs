using System.Text;
using System.Text.Json;
using MassDpo.Shared.Numerics;

namespace MassDpo.PolicyKit;

/// <summary>Malformed inputs made from whole ones by a seed: bytes changed, cut, doubled and moved, and values of JSON put in place of
/// others.</summary>
public static class Mutations
{
    private static readonly byte[][] Pieces = [.. new[]
    {
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\\udc00", "null", "true", "-", ".", "e", "0", "1e999", "\n", " ", "\0", "é",
        "😀",
    }.Select(Encoding.UTF8.GetBytes), [0xFF], [0xC3], [0xEF, 0xBB, 0xBF]];

    private static readonly string[] Values =
    [
        "null", "true", "false", "0", "-1", "1", "2", "1.5", "-0.0", "1e999", "-1e999", "1e-999", "2147483647", "2147483648", "9223372036854775807",
        "9223372036854775808", "18446744073709551616", "\"\"", "\"a\"", "\"\\ud800\"", "\"\\u0000\"", "[]", "{}", "[null]", "[[]]", "[{}]", "[1,2]",
        "[0,9223372036854775807]", "[\"a\",\"b\"]",
        "{\"a\":1}", "{\"history\":[]}", "{\"history\":[\"a\"]}", "{\"type\":\"llama3\"}", "{\"id\":0}", "\"../x\"", "\"F32\"", "\"F64\"",
    ];

    /// <summary>One to three changes to <paramref name="whole"/>.</summary>
    public static byte[] Of(ReadOnlySpan<byte> whole, ref StableRandom random)
    {
        var bytes = whole.ToArray();
        for (var changes = 1 + random.Below(3); changes > 0; changes--)
            bytes = random.Below(3) == 0 ? WithOtherValue(bytes, ref random) : Changed(bytes, ref random);
        return bytes;
    }

    private static byte[] Changed(byte[] bytes, ref StableRandom random)
    {
        var at = random.Below(bytes.Length + 1);
        var end = Math.Min(bytes.Length, at + 1 + random.Below(random.Below(4) == 0 ? 100 : 4));
        switch (random.Below(6))
        {
            case 0 when at < bytes.Length:
                bytes[at] = (byte)random.Below(256);
                return bytes;
            case 1:
                return bytes[..at];
            case 2:
                return [.. bytes[..at], .. bytes[end..]];
            case 3:
                return [.. bytes[..end], .. bytes[at..]];
            case 4:
                var to = random.Below(at + 1);
                return [.. bytes[..to], .. bytes[at..end], .. bytes[to..at], .. bytes[end..]];
            default:
                return [.. bytes[..at], .. Pieces[random.Below(Pieces.Length)], .. bytes[at..]];
        }
    }

    // Another value, or another name, where one stood; bytes that are no JSON are changed otherwise.
    private static byte[] WithOtherValue(byte[] bytes, ref StableRandom random)
    {
        var tokens = new List<(int Start, int End, bool IsName)>();
        try
        {
            var reader = new Utf8JsonReader(bytes);
            while (reader.Read())
            {
                var start = (int)reader.TokenStartIndex;
                var isName = reader.TokenType == JsonTokenType.PropertyName;
                if (reader.TokenType is JsonTokenType.StartArray or JsonTokenType.StartObject)
                {
                    var inside = reader;
                    inside.Skip();
                    tokens.Add((start, (int)inside.BytesConsumed, false));
                }
                else if (reader.TokenType is not (JsonTokenType.EndArray or JsonTokenType.EndObject))
                {
                    tokens.Add((start, isName ? start + reader.ValueSpan.Length + 2 : (int)reader.BytesConsumed, isName));
                }
            }
        }
        catch (JsonException)
        {
            return Changed(bytes, ref random);
        }
        if (tokens.Count == 0)
            return Changed(bytes, ref random);
        var (from, to, name) = tokens[random.Below(tokens.Count)];
        var other = tokens[random.Below(tokens.Count)];
        var value = name
            ? other.IsName ? bytes[other.Start..other.End] : "\"x\""u8.ToArray()
            : random.Below(3) == 0 && !other.IsName ? bytes[other.Start..other.End] : Encoding.UTF8.GetBytes(Values[random.Below(Values.Length)]);
        return [.. bytes[..from], .. value, .. bytes[to..]];
    }
}
