using System.Runtime.InteropServices;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.Policy.Tests.Fused;

/// <summary>Policies and pools from a seed, and the comparison of bits.</summary>
internal static class FusedCases
{
    // Sizes that are no multiples of anything, beside those of real policies.
    public static PolicyConfig Config(ref StableRandom random)
    {
        var keyValueHeads = 1 + random.Below(3);
        return new PolicyConfig
        {
            HiddenSize = 1 + random.Below(70),
            IntermediateSize = 1 + random.Below(90),
            Layers = 1 + random.Below(3),
            Heads = keyValueHeads * (1 + random.Below(3)),
            KeyValueHeads = keyValueHeads,
            HeadSize = 2 * (1 + random.Below(20)),
            VocabularySize = 3 + random.Below(200),
            MaxPositions = 128,
            RmsNormEpsilon = 1e-5,
            TiedEmbeddings = random.Below(2) == 0,
            RopeScaling = random.Below(2) == 0 ? null : new Llama3RopeScaling(8, 1, 4, 16),
        };
    }

    public static List<EncodedPool> Pools(ref StableRandom random, int vocabulary, int count)
    {
        var pools = new List<EncodedPool>();
        var longestResponse = random.Below(3) == 0 ? 1 : 1 + random.Below(50);
        for (var i = 0; i < count; i++)
            pools.Add(MadePolicy.Pool(ref random, vocabulary, candidates: 1 + random.Below(8), longestPrompt: 70, longestResponse));
        return pools;
    }

    public static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        var a = MemoryMarshal.Cast<float, int>(expected);
        var b = MemoryMarshal.Cast<float, int>(actual);
        Assert.Equal(a.Length, b.Length);
        var same = a.CommonPrefixLength(b);
        if (same < a.Length)
            Assert.Fail($"at {same}: {expected[same]:R}, found {actual[same]:R}");
    }
}
