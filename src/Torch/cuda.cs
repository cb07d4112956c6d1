using System.Runtime.InteropServices;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>CUDA devices.</summary>
    public static partial class cuda
    {
        public static bool is_available() => cuda_is_available();

        public static int device_count() => Native.mdt_cuda_device_count();

        public static void manual_seed(long seed) => Native.Check(Native.mdt_cuda_manual_seed((ulong)seed));

        public static void manual_seed_all(long seed) => Native.Check(Native.mdt_cuda_manual_seed_all((ulong)seed));

        /// <summary>Waits until the device has done all it was told to do.</summary>
        public static void synchronize(Device? device = null)
        {
            if (device is { type: not DeviceType.CUDA })
                throw new ArgumentException("Not a CUDA device.", nameof(device));
            InitializeDeviceType(DeviceType.CUDA);
            Native.Check(Native.mdt_cuda_synchronize(device?.index ?? -1));
        }
    }

    /// <summary>The version of libtorch that the native library was built with.</summary>
    public static unsafe string __version__ => Marshal.PtrToStringUTF8((nint)Native.mdt_torch_version()) ?? "";
}
