using System.Runtime.CompilerServices;

namespace MassDpo.App.Tests.Running;

/// <summary>The run of a stream in turns with one selector that nothing disturbs, made once: what others are compared with.</summary>
internal static class Undisturbed
{
    private static readonly ConditionalWeakTable<SimulatedStream, RunTrace> Made = [];

    public static RunTrace Of(SimulatedStream stream) => Made.GetValue(stream, s => RunTrace.Whole(s, SimulatedStream.Options(), seed: 0));
}
