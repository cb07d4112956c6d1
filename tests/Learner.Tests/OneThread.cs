using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests;

/// <summary>Bits are compared here, and how many threads share a sum is part of what they are.</summary>
internal static class OneThread
{
    [ModuleInitializer]
    internal static void Set() => set_num_threads(1);
}

/// <summary>Tests that count what all tests share run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessState
{
    public const string Name = "process state";
}
