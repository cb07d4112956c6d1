using System.Runtime.InteropServices;

namespace TorchSharp;

// native/core/tensor.cpp
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern void mdt_free(nint t);
    [DllImport(Library)] internal static extern int mdt_take_list(nint* into);
    [DllImport(Library), SuppressGCTransition] internal static extern long mdt_dim(nint t);
    [DllImport(Library), SuppressGCTransition] internal static extern long mdt_numel(nint t);
    [DllImport(Library), SuppressGCTransition] internal static extern void mdt_sizes(nint t, long* into);
    [DllImport(Library), SuppressGCTransition] internal static extern long mdt_element_size(nint t);
    [DllImport(Library), SuppressGCTransition] internal static extern int mdt_dtype(nint t);
    [DllImport(Library), SuppressGCTransition] internal static extern int mdt_device_type(nint t);
    [DllImport(Library), SuppressGCTransition] internal static extern int mdt_device_index(nint t);
    [DllImport(Library), SuppressGCTransition] internal static extern int mdt_is_contiguous(nint t);
    [DllImport(Library), SuppressGCTransition] internal static extern int mdt_is_sparse(nint t);
    [DllImport(Library), SuppressGCTransition] internal static extern int mdt_requires_grad(nint t);
    [DllImport(Library)] internal static extern int mdt_is_leaf(nint t, int* into);
    [DllImport(Library)] internal static extern int mdt_size(nint t, long dim, long* into);
    [DllImport(Library)] internal static extern int mdt_stride(nint t, long dim, long* into);
    [DllImport(Library)] internal static extern int mdt_strides(nint t, long* into);
    [DllImport(Library)] internal static extern int mdt_storage_offset(nint t, long* into);
    [DllImport(Library)] internal static extern int mdt_data(nint t, void** into);
    [DllImport(Library)] internal static extern int mdt_item(nint t, NativeScalar* into);
    [DllImport(Library)] internal static extern nint mdt_clone(nint t);
    [DllImport(Library)] internal static extern nint mdt_detach(nint t);
    [DllImport(Library)] internal static extern int mdt_detach_(nint t);
    [DllImport(Library)] internal static extern nint mdt_alias(nint t);
    [DllImport(Library)] internal static extern nint mdt_contiguous(nint t);
    [DllImport(Library)] internal static extern nint mdt_to(nint t, int dtype, int device, int index, int copy, int nonBlocking);
    [DllImport(Library)] internal static extern nint mdt_cuda(nint t);
    [DllImport(Library)] internal static extern nint mdt_pin_memory(nint t);
    [DllImport(Library)] internal static extern int mdt_is_pinned(nint t, int* into);
    [DllImport(Library)] internal static extern int mdt_copy_(nint t, nint source, int nonBlocking);
    [DllImport(Library)] internal static extern int mdt_fill_(nint t, NativeScalar value);
    [DllImport(Library)] internal static extern int mdt_zero_(nint t);
    [DllImport(Library)] internal static extern int mdt_set_(nint t, nint source);
}
