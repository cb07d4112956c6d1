using MassDpo.Policy.Fused;

namespace MassDpo.Policy.Tests.Fused;

/// <summary>A test of native/fused, skipped where it cannot be had.</summary>
public sealed class FusedFactAttribute : FactAttribute
{
    public FusedFactAttribute() => Skip = FusedMachine.WhyNot!;
}

/// <summary>The same for a theory.</summary>
public sealed class FusedTheoryAttribute : TheoryAttribute
{
    public FusedTheoryAttribute() => Skip = FusedMachine.WhyNot!;
}

/// <summary>What this machine can run.</summary>
internal static class FusedMachine
{
    public static string? WhyNot
    {
        get
        {
            // The library is looked for among what is loaded.
            using var loaded = TorchSharp.torch.zeros(1);
            return FusedLibrary.IsAvailable ? null : "native/fused needs src/Torch, and AVX2 with FMA on x86";
        }
    }

    /// <summary>The instruction sets that can be compared here, the plainest first.</summary>
    public static IEnumerable<int> Levels => Enumerable.Range(0, FusedLibrary.BestLevel + 1);
}
