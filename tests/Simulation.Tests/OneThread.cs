using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace MassDpo.Simulation.Tests;

/// <summary>Bits are compared here, and how many threads share a sum is part of what they are. No test asks for another number.</summary>
internal static class OneThread
{
    [ModuleInitializer]
    internal static void Set() => set_num_threads(1);
}
