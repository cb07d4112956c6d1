using System.Runtime.InteropServices;

namespace TorchSharp;

// native/core/linalg.cpp
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern nint mdt_matmul(nint a, nint b);
    [DllImport(Library)] internal static extern nint mdt_mm(nint a, nint b);
    [DllImport(Library)] internal static extern nint mdt_bmm(nint a, nint b);
    [DllImport(Library)] internal static extern nint mdt_mv(nint a, nint b);
    [DllImport(Library)] internal static extern nint mdt_dot(nint a, nint b);
    [DllImport(Library)] internal static extern nint mdt_outer(nint a, nint b);
    [DllImport(Library)] internal static extern nint mdt_addmm(nint a, nint b, nint c, double beta, double alpha);
    [DllImport(Library)] internal static extern int mdt_addmm_(nint a, nint b, nint c, double beta, double alpha);
    [DllImport(Library)] internal static extern nint mdt_addmv(nint a, nint b, nint c, double beta, double alpha);
    [DllImport(Library)] internal static extern nint mdt_baddbmm(nint a, nint b, nint c, double beta, double alpha);
    [DllImport(Library)] internal static extern nint mdt_einsum(byte* equation, nint* operands, int count);
}
