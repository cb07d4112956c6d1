using System.Runtime.InteropServices;

namespace TorchSharp;

// native/core/reductions.cpp
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern nint mdt_sum(nint a, int dtype);
    [DllImport(Library)] internal static extern nint mdt_sum_dims(nint a, long* d, int n, int keepdim, int dtype);
    [DllImport(Library)] internal static extern nint mdt_mean(nint a);
    [DllImport(Library)] internal static extern nint mdt_mean_dims(nint a, long* d, int n, int keepdim, int dtype);
    [DllImport(Library)] internal static extern nint mdt_prod(nint a, int dtype);
    [DllImport(Library)] internal static extern nint mdt_prod_dim(nint a, long dim, int keepdim, int dtype);
    [DllImport(Library)] internal static extern nint mdt_max(nint a);
    [DllImport(Library)] internal static extern nint mdt_min(nint a);
    [DllImport(Library)] internal static extern int mdt_max_dim(nint a, long dim, int keepdim, nint* values, nint* indices);
    [DllImport(Library)] internal static extern int mdt_min_dim(nint a, long dim, int keepdim, nint* values, nint* indices);
    [DllImport(Library)] internal static extern nint mdt_amax(nint a, long* d, int n, int keepdim, nint @out);
    [DllImport(Library)] internal static extern nint mdt_amin(nint a, long* d, int n, int keepdim, nint @out);
    [DllImport(Library)] internal static extern nint mdt_argmax(nint a);
    [DllImport(Library)] internal static extern nint mdt_argmin(nint a);
    [DllImport(Library)] internal static extern nint mdt_argmax_dim(nint a, long dim, int keepdim);
    [DllImport(Library)] internal static extern nint mdt_argmin_dim(nint a, long dim, int keepdim);
    [DllImport(Library)] internal static extern nint mdt_logsumexp(nint a, long dim, int keepdim);
    [DllImport(Library)] internal static extern nint mdt_softmax(nint a, long dim, int dtype);
    [DllImport(Library)] internal static extern nint mdt_log_softmax(nint a, long dim, int dtype);
    [DllImport(Library)] internal static extern nint mdt_cumsum(nint a, long dim, int dtype);
    [DllImport(Library)] internal static extern nint mdt_cumprod(nint a, long dim, int dtype);
    [DllImport(Library)] internal static extern nint mdt_any(nint a);
    [DllImport(Library)] internal static extern nint mdt_all(nint a);
    [DllImport(Library)] internal static extern nint mdt_any_dim(nint a, long dim, int keepdim);
    [DllImport(Library)] internal static extern nint mdt_all_dim(nint a, long dim, int keepdim);
    [DllImport(Library)] internal static extern nint mdt_std(nint a, int unbiased);
    [DllImport(Library)] internal static extern nint mdt_std_dims(nint a, long* d, int n, int unbiased, int keepdim);
    [DllImport(Library)] internal static extern nint mdt_var(nint a, int unbiased);
    [DllImport(Library)] internal static extern nint mdt_var_dims(nint a, long* d, int n, int unbiased, int keepdim);
    [DllImport(Library)] internal static extern nint mdt_norm(nint a, double p);
    [DllImport(Library)] internal static extern nint mdt_norm_dim(nint a, long dim, int keepdim, double p);
    [DllImport(Library)] internal static extern nint mdt_linalg_norm(nint a, NativeScalar order, long* d, int n, int keepdim);
    [DllImport(Library)] internal static extern nint mdt_linalg_norm_named(nint a, byte* order, long* d, int n, int keepdim);
    [DllImport(Library)] internal static extern nint mdt_linalg_vector_norm(nint a, double order, long* d, int n, int keepdim);
    [DllImport(Library)] internal static extern int mdt_topk(nint a, long k, long dim, int largest, int sorted, nint* values, nint* indices);
    [DllImport(Library)] internal static extern int mdt_sort(nint a, long dim, int descending, int stable, nint* values, nint* indices);
    [DllImport(Library)] internal static extern nint mdt_argsort(nint a, long dim, int descending);
    [DllImport(Library)] internal static extern nint mdt_nonzero(nint a);
}
