// From many elements to fewer: sums, extremes, norms; and what orders or accumulates along a dimension.
#include "mdt.h"

using namespace mdt;

MDT_API tensor mdt_sum(tensor a, int32_t dtype) {
  MDT_TENSOR(at::sum(*a, to_dtype(dtype)));
}

MDT_API tensor mdt_sum_dims(tensor a, const int64_t* d, int32_t n, int32_t keepdim, int32_t dtype) {
  MDT_TENSOR(at::sum(*a, dims(d, n), keepdim != 0, to_dtype(dtype)));
}

MDT_API tensor mdt_mean(tensor a) {
  MDT_TENSOR(at::mean(*a));
}

MDT_API tensor mdt_mean_dims(tensor a, const int64_t* d, int32_t n, int32_t keepdim, int32_t dtype) {
  MDT_TENSOR(at::mean(*a, dims(d, n), keepdim != 0, to_dtype(dtype)));
}

MDT_API tensor mdt_prod(tensor a, int32_t dtype) {
  MDT_TENSOR(at::prod(*a, to_dtype(dtype)));
}

MDT_API tensor mdt_prod_dim(tensor a, int64_t dim, int32_t keepdim, int32_t dtype) {
  MDT_TENSOR(at::prod(*a, dim, keepdim != 0, to_dtype(dtype)));
}

MDT_API tensor mdt_max(tensor a) {
  MDT_TENSOR(at::max(*a));
}

MDT_API tensor mdt_min(tensor a) {
  MDT_TENSOR(at::min(*a));
}

MDT_API int32_t mdt_max_dim(tensor a, int64_t dim, int32_t keepdim, tensor* values, tensor* indices) {
  MDT_DO(put(at::max(*a, dim, keepdim != 0), values, indices));
}

MDT_API int32_t mdt_min_dim(tensor a, int64_t dim, int32_t keepdim, tensor* values, tensor* indices) {
  MDT_DO(put(at::min(*a, dim, keepdim != 0), values, indices));
}

// `out` may be null.
MDT_API tensor mdt_amax(tensor a, const int64_t* d, int32_t n, int32_t keepdim, tensor out) {
  MDT_TENSOR(out == nullptr ? at::amax(*a, dims(d, n), keepdim != 0) : at::amax_out(*out, *a, dims(d, n), keepdim != 0));
}

MDT_API tensor mdt_amin(tensor a, const int64_t* d, int32_t n, int32_t keepdim, tensor out) {
  MDT_TENSOR(out == nullptr ? at::amin(*a, dims(d, n), keepdim != 0) : at::amin_out(*out, *a, dims(d, n), keepdim != 0));
}

MDT_API tensor mdt_argmax(tensor a) {
  MDT_TENSOR(at::argmax(*a));
}

MDT_API tensor mdt_argmin(tensor a) {
  MDT_TENSOR(at::argmin(*a));
}

MDT_API tensor mdt_argmax_dim(tensor a, int64_t dim, int32_t keepdim) {
  MDT_TENSOR(at::argmax(*a, dim, keepdim != 0));
}

MDT_API tensor mdt_argmin_dim(tensor a, int64_t dim, int32_t keepdim) {
  MDT_TENSOR(at::argmin(*a, dim, keepdim != 0));
}

MDT_API tensor mdt_logsumexp(tensor a, int64_t dim, int32_t keepdim) {
  MDT_TENSOR(at::logsumexp(*a, at::IntArrayRef(dim), keepdim != 0));
}

MDT_API tensor mdt_softmax(tensor a, int64_t dim, int32_t dtype) {
  MDT_TENSOR(at::softmax(*a, dim, to_dtype(dtype)));
}

MDT_API tensor mdt_log_softmax(tensor a, int64_t dim, int32_t dtype) {
  MDT_TENSOR(at::log_softmax(*a, dim, to_dtype(dtype)));
}

MDT_API tensor mdt_cumsum(tensor a, int64_t dim, int32_t dtype) {
  MDT_TENSOR(at::cumsum(*a, dim, to_dtype(dtype)));
}

MDT_API tensor mdt_cumprod(tensor a, int64_t dim, int32_t dtype) {
  MDT_TENSOR(at::cumprod(*a, dim, to_dtype(dtype)));
}

MDT_API tensor mdt_any(tensor a) {
  MDT_TENSOR(at::any(*a));
}

MDT_API tensor mdt_all(tensor a) {
  MDT_TENSOR(at::all(*a));
}

MDT_API tensor mdt_any_dim(tensor a, int64_t dim, int32_t keepdim) {
  MDT_TENSOR(at::any(*a, dim, keepdim != 0));
}

MDT_API tensor mdt_all_dim(tensor a, int64_t dim, int32_t keepdim) {
  MDT_TENSOR(at::all(*a, dim, keepdim != 0));
}

MDT_API tensor mdt_std(tensor a, int32_t unbiased) {
  MDT_TENSOR(at::std(*a, unbiased != 0));
}

MDT_API tensor mdt_std_dims(tensor a, const int64_t* d, int32_t n, int32_t unbiased, int32_t keepdim) {
  MDT_TENSOR(at::std(*a, dims(d, n), unbiased != 0, keepdim != 0));
}

MDT_API tensor mdt_var(tensor a, int32_t unbiased) {
  MDT_TENSOR(at::var(*a, unbiased != 0));
}

MDT_API tensor mdt_var_dims(tensor a, const int64_t* d, int32_t n, int32_t unbiased, int32_t keepdim) {
  MDT_TENSOR(at::var(*a, dims(d, n), unbiased != 0, keepdim != 0));
}

MDT_API tensor mdt_norm(tensor a, double p) {
  MDT_TENSOR(at::norm(*a, p));
}

MDT_API tensor mdt_norm_dim(tensor a, int64_t dim, int32_t keepdim, double p) {
  MDT_TENSOR(at::norm(*a, p, at::IntArrayRef(dim), keepdim != 0));
}

// In linalg's norms no dimensions at all means every one.
MDT_API tensor mdt_linalg_norm(tensor a, scalar order, const int64_t* d, int32_t n, int32_t keepdim) {
  MDT_TENSOR(n == 0 ? at::linalg_norm(*a, to_optional(order), nullopt, keepdim != 0)
                    : at::linalg_norm(*a, to_optional(order), dims(d, n), keepdim != 0));
}

MDT_API tensor mdt_linalg_norm_named(tensor a, const char* order, const int64_t* d, int32_t n, int32_t keepdim) {
  MDT_TENSOR(n == 0 ? at::linalg_norm(*a, order, nullopt, keepdim != 0) : at::linalg_norm(*a, order, dims(d, n), keepdim != 0));
}

MDT_API tensor mdt_linalg_vector_norm(tensor a, double order, const int64_t* d, int32_t n, int32_t keepdim) {
  MDT_TENSOR(n == 0 ? at::linalg_vector_norm(*a, order, nullopt, keepdim != 0)
                    : at::linalg_vector_norm(*a, order, dims(d, n), keepdim != 0));
}

MDT_API int32_t mdt_topk(tensor a, int64_t k, int64_t dim, int32_t largest, int32_t sorted, tensor* values, tensor* indices) {
  MDT_DO(put(at::topk(*a, k, dim, largest != 0, sorted != 0), values, indices));
}

MDT_API int32_t mdt_sort(tensor a, int64_t dim, int32_t descending, int32_t stable, tensor* values, tensor* indices) {
  MDT_DO(put(at::sort(*a, stable != 0, dim, descending != 0), values, indices));
}

MDT_API tensor mdt_argsort(tensor a, int64_t dim, int32_t descending) {
  MDT_TENSOR(at::argsort(*a, dim, descending != 0));
}

MDT_API tensor mdt_nonzero(tensor a) {
  MDT_TENSOR(at::nonzero(*a));
}
