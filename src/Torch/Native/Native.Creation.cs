using System.Runtime.InteropServices;

namespace TorchSharp;

// native/core/creation.cpp
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern nint mdt_empty(long* sizes, int count, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_empty_strided(long* sizes, int count, long* strides, int strideCount, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_zeros(long* sizes, int count, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_ones(long* sizes, int count, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_full(long* sizes, int count, NativeScalar value, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_empty_like(nint t, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_zeros_like(nint t, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_ones_like(nint t, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_full_like(nint t, NativeScalar value, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_arange(NativeScalar start, NativeScalar stop, NativeScalar step, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_linspace(double start, double end, long steps, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_eye(long rows, long columns, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_scalar_tensor(NativeScalar value, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_from_data(void* data, int dtype, long* sizes, int count, NativeOptions o);
    [DllImport(Library)]
    internal static extern nint mdt_from_blob(void* data, int dtype, long* sizes, int count, delegate* unmanaged<void*, void> release, void* context);
}
