using System.Runtime.InteropServices;

namespace MassDpo.Policy.Devices;

/// <summary>
/// What native/ knows of devices beyond TorchSharp's API. It is part of the library that <c>src/Torch</c> loads; with another Torch it is not there, and neither is
/// what it offers.
/// </summary>
internal static unsafe class DeviceLibrary
{
    private static readonly nint Library = NativeLibrary.TryLoad("libmassdpo_torch.so", out var library) ? library : 0;

    /// <summary>Whether this libtorch has kernels of attention that never hold the scores: from 2.0 on.</summary>
    public static bool HasFusedAttention { get; } = Export("mdt_has_fused_attention") is var has and not 0 && ((delegate* unmanaged<int>)has)() != 0;

    /// <summary>Gives this thread a stream of its own on a device.</summary>
    /// <returns>false: there is no library to do it</returns>
    /// <exception cref="ExternalException">the device has no streams, or is not there</exception>
    public static bool TakeStream(int deviceType, int index)
    {
        if (Export("mdt_stream_take") is var take && take == 0)
            return false;
        return ((delegate* unmanaged<int, int, int>)take)(deviceType, index) == 0
            ? true
            : throw new ExternalException(Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Export("mdt_error"))()));
    }

    private static nint Export(string name) => Library != 0 && NativeLibrary.TryGetExport(Library, name, out var address) ? address : 0;
}
