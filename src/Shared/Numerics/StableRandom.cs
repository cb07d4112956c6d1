namespace MassDpo.Shared.Numerics;

/// <summary>
/// xoshiro256** (Blackman and Vigna, 2018), seeded through SplitMix64 from any number of keys, as in <c>(seed, slot)</c>. The same keys give the same
/// numbers on every machine and in every release, which System.Random does not promise. A struct: copy it and both copies go on alike.
/// </summary>
public struct StableRandom
{
    private ulong _s0, _s1, _s2, _s3;

    public StableRandom(params ReadOnlySpan<long> keys)
    {
        // Each key is mixed into the state before the next, so that (1, 2) and (2, 1) differ.
        var state = 0x9E3779B97F4A7C15UL;
        foreach (var key in keys)
            state = Mix(state ^ Mix((ulong)key + 0x9E3779B97F4A7C15UL));
        _s0 = SplitMix(ref state);
        _s1 = SplitMix(ref state);
        _s2 = SplitMix(ref state);
        _s3 = SplitMix(ref state);
    }

    public ulong Next()
    {
        var result = ulong.RotateLeft(_s1 * 5, 7) * 9;
        var t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = ulong.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>Uniform in [0, <paramref name="count"/>), without bias (Lemire, 2019).</summary>
    public int Below(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        var threshold = unchecked((uint)-count) % (uint)count;
        while (true)
        {
            var product = (Next() >> 32) * (uint)count;
            if ((uint)product >= threshold)
                return (int)(product >> 32);
        }
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Standard normal (Box and Muller, one of the pair).</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Unit())) * Math.Cos(2 * Math.PI * Unit());

    /// <summary>Fisher–Yates.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = Below(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    private static ulong SplitMix(ref ulong state) => Mix(state += 0x9E3779B97F4A7C15UL);

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
