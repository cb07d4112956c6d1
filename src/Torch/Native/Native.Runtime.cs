using System.Runtime.InteropServices;

namespace TorchSharp;

// native/core/runtime.cpp
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern int mdt_set_deterministic(int on);
    [DllImport(Library), SuppressGCTransition] internal static extern int mdt_is_deterministic();
    [DllImport(Library)] internal static extern int mdt_set_num_threads(int count);
    [DllImport(Library)] internal static extern int mdt_get_num_threads(int* count);
    [DllImport(Library)] internal static extern int mdt_set_num_interop_threads(int count);
    [DllImport(Library)] internal static extern int mdt_get_num_interop_threads(int* count);
    [DllImport(Library)] internal static extern int mdt_cuda_is_available();
    [DllImport(Library)] internal static extern int mdt_cuda_device_count();
    [DllImport(Library)] internal static extern int mdt_cuda_synchronize(long index);
    [DllImport(Library)] internal static extern int mdt_cuda_manual_seed(ulong seed);
    [DllImport(Library)] internal static extern int mdt_cuda_manual_seed_all(ulong seed);
    [DllImport(Library)] internal static extern byte* mdt_torch_version();
}
