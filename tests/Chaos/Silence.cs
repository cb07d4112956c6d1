using System.Runtime.CompilerServices;

namespace MassDpo.Chaos;

/// <summary>What calls within this process print is nobody's to read.</summary>
internal static class Silence
{
    [ModuleInitializer]
    internal static void Set() => Console.SetOut(TextWriter.Null);
}
