using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace TorchSharp;

/// <summary>
/// The C interface of libmassdpo_torch.so (native/): where the library is found, and how its failures become exceptions. The functions themselves are
/// in the other parts of this class, one for each file of native/core. Everything they take is blittable: a call costs a few nanoseconds.
/// </summary>
internal static unsafe partial class Native
{
    internal const string Library = "massdpo_torch";

    private const string FileName = "libmassdpo_torch.so";

    // A static constructor would make every call check whether it has run.
#pragma warning disable CA2255
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Register() => NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, Resolve);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library)
            return 0;
        var tried = new List<string>();
        foreach (var candidate in Candidates())
        {
            if (!File.Exists(candidate))
            {
                tried.Add($"{candidate}: no such file");
                continue;
            }
            try
            {
                return NativeLibrary.Load(candidate);
            }
            catch (DllNotFoundException error)
            {
                tried.Add($"{candidate}: {error.Message.ReplaceLineEndings(" ")}");
            }
        }
        throw new DllNotFoundException(
            $"{FileName} cannot be loaded. Build it with `./massdpo build`; that needs libtorch (apt-get install libtorch-dev libopenblas0-pthread "
            + "cmake g++), or a PyTorch folder that the environment variable LIBTORCH names. MASSDPO_NATIVE names a built file or folder. Tried:\n  "
            + string.Join("\n  ", tried));
    }

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable("MASSDPO_NATIVE") is { Length: > 0 } given)
            yield return Directory.Exists(given) ? Path.Combine(given, FileName) : given;
        yield return Path.Combine(AppContext.BaseDirectory, FileName);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory).Parent; folder is not null; folder = folder.Parent)
            if (Path.Combine(folder.FullName, "artifacts", "native", FileName) is var built && File.Exists(built))
                yield return built;
    }

    [DllImport(Library)] private static extern byte* mdt_error();

    /// <summary>The exception for this thread's last failure: of the type that TorchSharp throws.</summary>
    internal static ExternalException Failure() => new(Marshal.PtrToStringUTF8((nint)mdt_error()));

    /// <summary>Throws when a function that returns a status has failed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Check(int status)
    {
        if (status != 0)
            Throw();
    }

    private static void Throw() => throw Failure();
}

/// <summary>A number on its way to libtorch: how to read its bits comes with it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct NativeScalar(long bits, long kind)
{
    internal const long KindNone = -1;
    internal const long KindFloating = 0;
    internal const long KindInteger = 1;
    internal const long KindBoolean = 2;

    internal readonly long Bits = bits;
    internal readonly long Kind = kind;

    internal static NativeScalar None => new(0, KindNone);

    public static implicit operator NativeScalar(double value) => new(BitConverter.DoubleToInt64Bits(value), KindFloating);
    public static implicit operator NativeScalar(long value) => new(value, KindInteger);
    public static implicit operator NativeScalar(bool value) => new(value ? 1 : 0, KindBoolean);
}

/// <summary>What a new tensor shall be: -1 stands for "not given".</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct NativeOptions(int dtype, int device, int index, bool requiresGrad)
{
    internal readonly int Dtype = dtype;
    internal readonly int Device = device;
    internal readonly int Index = index;
    internal readonly int RequiresGrad = requiresGrad ? 1 : 0;
}

/// <summary>One index of <c>tensor[...]</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeIndex
{
    internal const long KindSingle = 0;
    internal const long KindSlice = 1;
    internal const long KindNone = 2;
    internal const long KindEllipsis = 3;
    internal const long KindBoolean = 4;
    internal const long KindTensor = 5;

    /// <summary>A slice's bound that is not given.</summary>
    internal const long Open = long.MinValue;

    internal long Kind;
    internal long Start;
    internal long Stop;
    internal long Step;
    internal nint Tensor;
}
