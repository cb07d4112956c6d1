using System.Globalization;
using MassDpo.Shared.Numerics;

namespace MassDpo.Ingest.Sources;

/// <summary>In which order a pass over a source is read: as it stands, wholly shuffled, or through a buffer of <c>Buffer</c> records.</summary>
public readonly record struct ShuffleOrder
{
    private ShuffleOrder(bool all, int buffer) => (All, Buffer) = (all, buffer);

    public static ShuffleOrder None => default;

    public static ShuffleOrder Whole => new(all: true, buffer: 0);

    public static ShuffleOrder Through(int buffer) => new(all: false, buffer);

    /// <summary>Whether the whole pass is shuffled.</summary>
    public bool All { get; }

    /// <summary>Records that the buffer holds; 0: none.</summary>
    public int Buffer { get; }

    /// <summary>Reads <c>all</c>, <c>none</c> or a number.</summary>
    /// <exception cref="FormatException">anything else</exception>
    public static ShuffleOrder Parse(string text) => text switch
    {
        "none" => None,
        "all" => Whole,
        _ when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var buffer) && buffer > 1 => Through(buffer),
        _ => throw new FormatException($"'{text}' is no order: give all, none, or how many records the shuffle buffer holds (2 or more)"),
    };

    /// <summary>The permutation of one pass when all is shuffled: which item is read at each index.</summary>
    public static int[] Permutation(int count, long seed, int pass)
    {
        var order = new int[count];
        for (var i = 0; i < count; i++)
            order[i] = i;
        Random(seed, pass).Shuffle<int>(order);
        return order;
    }

    /// <summary>
    /// Sends items through the buffer: it fills, then each further item takes the place of one drawn at random, which leaves; at the end the rest
    /// leaves in random order.
    /// </summary>
    public static IEnumerable<T> Buffered<T>(IEnumerable<T> items, int buffer, long seed, int pass)
    {
        var random = Random(seed, pass);
        // Not sized for the buffer: the input may be far shorter.
        var held = new List<T>();
        foreach (var item in items)
        {
            if (held.Count < buffer)
            {
                held.Add(item);
                continue;
            }
            var drawn = random.Below(buffer);
            yield return held[drawn];
            held[drawn] = item;
        }
        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(held));
        foreach (var item in held)
            yield return item;
    }

    private static StableRandom Random(long seed, int pass) => new(seed, pass, 0x0DE7);

    public override string ToString() => All ? "all" : Buffer > 0 ? Buffer.ToString(CultureInfo.InvariantCulture) : "none";
}
