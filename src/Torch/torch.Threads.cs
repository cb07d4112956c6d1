using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // How many threads an operation may use: one number for the whole process, for libtorch's own loops and for those of its BLAS.

    public static unsafe int get_num_threads()
    {
        int result;
        Check(mdt_get_num_threads(&result));
        return result;
    }

    public static void set_num_threads(int num) => Check(mdt_set_num_threads(num));

    public static unsafe int get_num_interop_threads()
    {
        int result;
        Check(mdt_get_num_interop_threads(&result));
        return result;
    }

    /// <summary>Can be called once, before libtorch has started any of them.</summary>
    public static void set_num_interop_threads(int num) => Check(mdt_set_num_interop_threads(num));
}
