using System.Runtime.InteropServices;

namespace TorchSharp;

// native/core/autograd.cpp
internal static unsafe partial class Native
{
    [DllImport(Library), SuppressGCTransition] internal static extern int mdt_grad_enabled();
    [DllImport(Library), SuppressGCTransition] internal static extern void mdt_set_grad_enabled(int on);
    [DllImport(Library), SuppressGCTransition] internal static extern int mdt_inference_mode_enabled();
    [DllImport(Library)] internal static extern nint mdt_inference_mode_enter(int on);
    [DllImport(Library)] internal static extern void mdt_inference_mode_leave(nint guard);
    [DllImport(Library)] internal static extern int mdt_set_requires_grad(nint a, int on);
    [DllImport(Library)] internal static extern int mdt_retain_grad(nint a);
    [DllImport(Library)] internal static extern int mdt_grad(nint a, nint* into);
    [DllImport(Library)] internal static extern int mdt_set_grad(nint a, nint gradient);
    [DllImport(Library)]
    internal static extern int mdt_backward(nint* outputs, int count, nint* gradients, int gradientCount, int retainGraph, int createGraph,
        nint* inputs, int inputCount);
    [DllImport(Library)]
    internal static extern long mdt_autograd_grad(nint* outputs, int count, nint* inputs, int inputCount, nint* gradients, int gradientCount,
        int retainGraph, int createGraph, int allowUnused);
}
