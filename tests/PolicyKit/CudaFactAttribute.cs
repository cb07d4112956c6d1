using MassDpo.TestKit;
using Xunit;
using static TorchSharp.torch;

namespace MassDpo.PolicyKit;

/// <summary>A test that needs a CUDA device; without one it is skipped.</summary>
public sealed class CudaFactAttribute : FactAttribute
{
    public CudaFactAttribute() => Skip = WhyNot!;

    internal static string? WhyNot => cuda.is_available() ? null : "no CUDA device";
}

/// <summary>A theory that needs a CUDA device and reference data; see <see cref="SharedDataFactAttribute"/>.</summary>
public sealed class CudaSharedDataTheoryAttribute : TheoryAttribute
{
    public CudaSharedDataTheoryAttribute(params string[] paths) => Skip = (CudaFactAttribute.WhyNot ?? SharedData.WhyAbsent(paths))!;
}
