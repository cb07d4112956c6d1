// New tensors: from nothing, from a pattern, from the caller's memory.
#include "mdt.h"

#include <memory>

using namespace mdt;

MDT_API tensor mdt_empty(const int64_t* sizes, int32_t count, options o) {
  MDT_TENSOR(with_grad(at::empty(dims(sizes, count), to_options(o)), o));
}

MDT_API tensor mdt_empty_strided(const int64_t* sizes, int32_t count, const int64_t* strides, int32_t stride_count, options o) {
  MDT_TENSOR(with_grad(at::empty_strided(dims(sizes, count), dims(strides, stride_count), to_options(o)), o));
}

MDT_API tensor mdt_zeros(const int64_t* sizes, int32_t count, options o) {
  MDT_TENSOR(with_grad(at::zeros(dims(sizes, count), to_options(o)), o));
}

MDT_API tensor mdt_ones(const int64_t* sizes, int32_t count, options o) {
  MDT_TENSOR(with_grad(at::ones(dims(sizes, count), to_options(o)), o));
}

MDT_API tensor mdt_full(const int64_t* sizes, int32_t count, scalar value, options o) {
  MDT_TENSOR(with_grad(at::full(dims(sizes, count), to_scalar(value), to_options(o)), o));
}

MDT_API tensor mdt_empty_like(tensor t, options o) {
  MDT_TENSOR(with_grad(at::empty_like(*t, to_options(o)), o));
}

MDT_API tensor mdt_zeros_like(tensor t, options o) {
  MDT_TENSOR(with_grad(at::zeros_like(*t, to_options(o)), o));
}

MDT_API tensor mdt_ones_like(tensor t, options o) {
  MDT_TENSOR(with_grad(at::ones_like(*t, to_options(o)), o));
}

MDT_API tensor mdt_full_like(tensor t, scalar value, options o) {
  MDT_TENSOR(with_grad(at::full_like(*t, to_scalar(value), to_options(o)), o));
}

MDT_API tensor mdt_arange(scalar start, scalar stop, scalar step, options o) {
  MDT_TENSOR(with_grad(at::arange(to_scalar(start), to_scalar(stop), to_scalar(step), to_options(o)), o));
}

MDT_API tensor mdt_linspace(double start, double end, int64_t steps, options o) {
  MDT_TENSOR(with_grad(at::linspace(start, end, steps, to_options(o)), o));
}

MDT_API tensor mdt_eye(int64_t rows, int64_t columns, options o) {
  MDT_TENSOR(with_grad(at::eye(rows, columns, to_options(o)), o));
}

MDT_API tensor mdt_scalar_tensor(scalar value, options o) {
  MDT_TENSOR(with_grad(at::scalar_tensor(to_scalar(value), to_options(o)), o));
}

// A tensor of its own from memory that the caller only lends.
MDT_API tensor mdt_from_data(const void* data, int32_t dtype, const int64_t* sizes, int32_t count, options o) {
  MDT_TENSOR(with_grad(
      at::from_blob(const_cast<void*>(data), dims(sizes, count), at::TensorOptions(static_cast<at::ScalarType>(dtype)))
          .to(to_options(o), /*non_blocking=*/false, /*copy=*/true),
      o));
}

// A tensor over the caller's memory, which `release(context)` gives back: once, on whatever thread drops the last reference, or here when the tensor
// could not be made.
MDT_API tensor mdt_from_blob(void* data, int32_t dtype, const int64_t* sizes, int32_t count, void (*release)(void*), void* context) {
  MDT_TENSOR([&] {
    std::shared_ptr<void> owner(context, release);
    return at::from_blob(
        data, dims(sizes, count), [owner](void*) mutable { owner.reset(); }, at::TensorOptions(static_cast<at::ScalarType>(dtype)));
  }());
}
