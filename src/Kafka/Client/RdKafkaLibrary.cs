using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MassDpo.Kafka.Client;

/// <summary>
/// The system's librdkafka under Confluent.Kafka: libmassdpo_rdkafka.so (native/kafka), which stands beside the program, links to it and adds what older
/// versions lack. Built with <c>-p:Librdkafka=redist</c> there is none, and the package's own library is used.
/// </summary>
internal static class RdKafkaLibrary
{
    public const string Name = "librdkafka";

    private const string FileName = "libmassdpo_rdkafka.so";

    // Before anybody touches a type of Confluent.Kafka.
#pragma warning disable CA2255
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Register()
    {
        NativeLibrary.SetDllImportResolver(typeof(Confluent.Kafka.Message<,>).Assembly, Resolve);
        NativeLibrary.SetDllImportResolver(typeof(RdKafkaLibrary).Assembly, Resolve);
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Name)
            return 0;
        var beside = Path.Combine(AppContext.BaseDirectory, FileName);
        if (!File.Exists(beside))
            return 0;
        try
        {
            return NativeLibrary.Load(beside);
        }
        catch (DllNotFoundException e)
        {
            throw new DllNotFoundException($"{beside} cannot be loaded: it needs librdkafka (apt-get install librdkafka1). {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }
}
