using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // From many elements to fewer, and what orders or accumulates along a dimension.
    public partial class Tensor
    {
        public Tensor sum(ScalarType? type = null) => Made1(mdt_sum(Handle, Code(type)));

        public unsafe Tensor sum(ReadOnlySpan<long> dim, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* p = dim)
                return Made1(mdt_sum_dims(Handle, p, dim.Length, Flag(keepdim), Code(type)));
        }

        public Tensor sum(long[] dim, bool keepdim = false, ScalarType? type = null) => sum((ReadOnlySpan<long>)dim, keepdim, type);
        public Tensor sum(long dim, bool keepdim = false, ScalarType? type = null) => sum((ReadOnlySpan<long>)[dim], keepdim, type);

        public Tensor sum(long dim0, long dim1, bool keepdim = false, ScalarType? type = null) =>
            sum((ReadOnlySpan<long>)[dim0, dim1], keepdim, type);

        public Tensor sum(long dim0, long dim1, long dim2, bool keepdim = false, ScalarType? type = null) =>
            sum((ReadOnlySpan<long>)[dim0, dim1, dim2], keepdim, type);

        public Tensor mean() => Made1(mdt_mean(Handle));

        public unsafe Tensor mean(long[] dimensions, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* p = dimensions)
                return Made1(mdt_mean_dims(Handle, p, dimensions.Length, Flag(keepdim), Code(type)));
        }

        public Tensor prod(ScalarType? type = null) => Made1(mdt_prod(Handle, Code(type)));
        public Tensor prod(long dim, bool keepdim = false, ScalarType? type = null) => Made1(mdt_prod_dim(Handle, dim, Flag(keepdim), Code(type)));
        public Tensor max() => Made1(mdt_max(Handle));
        public Tensor max(Tensor other) => maximum(other);

        public unsafe (Tensor values, Tensor indexes) max(long dim, bool keepdim = false)
        {
            nint first = 0, second = 0;
            var status = mdt_max_dim(Handle, dim, Flag(keepdim), &first, &second);
            return MadePair(status, first, second);
        }

        public Tensor min() => Made1(mdt_min(Handle));
        public Tensor min(Tensor other) => minimum(other);

        public unsafe (Tensor values, Tensor indexes) min(long dim, bool keepdim = false)
        {
            nint first = 0, second = 0;
            var status = mdt_min_dim(Handle, dim, Flag(keepdim), &first, &second);
            return MadePair(status, first, second);
        }

        public Tensor amax(params long[] dims) => amax((ReadOnlySpan<long>)dims);
        public Tensor amax(long[] dims, bool keepdim = false, Tensor? @out = null) => amax((ReadOnlySpan<long>)dims, keepdim, @out);

        public unsafe Tensor amax(ReadOnlySpan<long> dims, bool keepdim = false, Tensor? @out = null)
        {
            fixed (long* p = dims)
                return Made2(mdt_amax(Handle, p, dims.Length, Flag(keepdim), @out?.Handle ?? 0), @out);
        }

        public Tensor amin(params long[] dims) => amin((ReadOnlySpan<long>)dims);
        public Tensor amin(long[] dims, bool keepdim = false, Tensor? @out = null) => amin((ReadOnlySpan<long>)dims, keepdim, @out);

        public unsafe Tensor amin(ReadOnlySpan<long> dims, bool keepdim = false, Tensor? @out = null)
        {
            fixed (long* p = dims)
                return Made2(mdt_amin(Handle, p, dims.Length, Flag(keepdim), @out?.Handle ?? 0), @out);
        }

        public Tensor argmax() => Made1(mdt_argmax(Handle));
        public Tensor argmax(long dim, bool keepdim = false) => Made1(mdt_argmax_dim(Handle, dim, Flag(keepdim)));
        public Tensor argmin() => Made1(mdt_argmin(Handle));
        public Tensor argmin(long dim, bool keepdim = false) => Made1(mdt_argmin_dim(Handle, dim, Flag(keepdim)));
        public Tensor any() => Made1(mdt_any(Handle));
        public Tensor any(long dim, bool keepdim = false) => Made1(mdt_any_dim(Handle, dim, Flag(keepdim)));
        public Tensor all() => Made1(mdt_all(Handle));
        public Tensor all(long dim, bool keepdim = false) => Made1(mdt_all_dim(Handle, dim, Flag(keepdim)));

        // ---- spread ----

        public Tensor std(bool unbiased = true) => Made1(mdt_std(Handle, Flag(unbiased)));

        public unsafe Tensor std(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* p = dimensions)
                return As(type, Made1(mdt_std_dims(Handle, p, dimensions.Length, Flag(unbiased), Flag(keepdim))));
        }

        public Tensor std(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            std((ReadOnlySpan<long>)dimensions, unbiased, keepdim, type);

        public Tensor std(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            std((ReadOnlySpan<long>)[dim], unbiased, keepdim, type);

        public Tensor std((long, long) dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            std((ReadOnlySpan<long>)[dim.Item1, dim.Item2], unbiased, keepdim, type);

        public Tensor std((long, long, long) dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            std((ReadOnlySpan<long>)[dim.Item1, dim.Item2, dim.Item3], unbiased, keepdim, type);

        public Tensor var(bool unbiased = true) => Made1(mdt_var(Handle, Flag(unbiased)));

        public unsafe Tensor var(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* p = dimensions)
                return As(type, Made1(mdt_var_dims(Handle, p, dimensions.Length, Flag(unbiased), Flag(keepdim))));
        }

        public Tensor var(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            this.var((ReadOnlySpan<long>)dimensions, unbiased, keepdim, type);

        public Tensor var(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            this.var((ReadOnlySpan<long>)[dim], unbiased, keepdim, type);

        public Tensor var((long, long) dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            this.var((ReadOnlySpan<long>)[dim.Item1, dim.Item2], unbiased, keepdim, type);

        public Tensor var((long, long, long) dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            this.var((ReadOnlySpan<long>)[dim.Item1, dim.Item2, dim.Item3], unbiased, keepdim, type);

        public Tensor norm(float p = 2) => Made1(mdt_norm(Handle, p));
        public Tensor norm(int dim, bool keepdim = false, float p = 2) => Made1(mdt_norm_dim(Handle, dim, Flag(keepdim), p));

        // ---- along a dimension ----

        public Tensor logsumexp(long dim, bool keepdim = false) => Made1(mdt_logsumexp(Handle, dim, Flag(keepdim)));
        public Tensor softmax(long dim, ScalarType? dtype = null) => Made1(mdt_softmax(Handle, dim, Code(dtype)));
        public Tensor log_softmax(long dim, ScalarType? dtype = null) => Made1(mdt_log_softmax(Handle, dim, Code(dtype)));
        public Tensor cumsum(long dim, ScalarType? type = null) => Made1(mdt_cumsum(Handle, dim, Code(type)));
        public Tensor cumprod(long dim, ScalarType? type = null) => Made1(mdt_cumprod(Handle, dim, Code(type)));

        public unsafe (Tensor values, Tensor indexes) topk(int k, int dim = -1, bool largest = true, bool sorted = true)
        {
            nint first = 0, second = 0;
            var status = mdt_topk(Handle, k, dim, Flag(largest), Flag(sorted), &first, &second);
            return MadePair(status, first, second);
        }

        public unsafe (Tensor Values, Tensor Indices) sort(long dim = -1, bool descending = false, bool stable = false)
        {
            nint first = 0, second = 0;
            var status = mdt_sort(Handle, dim, Flag(descending), Flag(stable), &first, &second);
            return MadePair(status, first, second);
        }

        public Tensor argsort(long dim = -1, bool descending = false) => Made1(mdt_argsort(Handle, dim, Flag(descending)));
        public Tensor nonzero() => Made1(mdt_nonzero(Handle));

        private static int Code(ScalarType? type) => type.HasValue ? (int)type.Value : -1;

        private static Tensor As(ScalarType? type, Tensor result) => type is { } wanted ? result.to(wanted, disposeAfter: true) : result;

        private (Tensor, Tensor) MadePair(int status, nint first, nint second)
        {
            GC.KeepAlive(this);
            Check(status);
            return (new Tensor(first), new Tensor(second));
        }
    }
}
