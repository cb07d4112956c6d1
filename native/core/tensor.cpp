// A tensor's life, its metadata, its data, and its conversion to other types and devices.
#include "mdt.h"

using namespace mdt;

MDT_API void mdt_free(tensor t) {
  delete t;
}

// The results of the last MDT_LIST call on this thread: the caller learns their number first and then passes room for them.
static thread_local std::vector<at::Tensor> kept;

int64_t mdt::keep_list(std::vector<at::Tensor> results) {
  kept = std::move(results);
  return static_cast<int64_t>(kept.size());
}

MDT_API int32_t mdt_take_list(tensor* into) {
  MDT_DO({
    auto results = std::move(kept);
    kept.clear();
    for (auto& result : results) *into++ = result.defined() ? new at::Tensor(std::move(result)) : nullptr;
  });
}

// ---- metadata: none of these can throw ----

MDT_API int64_t mdt_dim(tensor t) {
  return t->dim();
}

MDT_API int64_t mdt_numel(tensor t) {
  return t->numel();
}

MDT_API void mdt_sizes(tensor t, int64_t* into) {
  for (auto size : t->sizes()) *into++ = size;
}

MDT_API int64_t mdt_element_size(tensor t) {
  return static_cast<int64_t>(t->element_size());
}

MDT_API int32_t mdt_dtype(tensor t) {
  return static_cast<int32_t>(t->scalar_type());
}

MDT_API int32_t mdt_device_type(tensor t) {
  return static_cast<int32_t>(t->device().type());
}

MDT_API int32_t mdt_device_index(tensor t) {
  return t->device().index();
}

MDT_API int32_t mdt_is_contiguous(tensor t) {
  return t->is_contiguous() ? 1 : 0;
}

MDT_API int32_t mdt_is_sparse(tensor t) {
  return t->is_sparse() ? 1 : 0;
}

MDT_API int32_t mdt_requires_grad(tensor t) {
  return t->requires_grad() ? 1 : 0;
}

// ---- what may throw ----

MDT_API int32_t mdt_is_leaf(tensor t, int32_t* into) {
  MDT_DO(*into = t->is_leaf() ? 1 : 0);
}

MDT_API int32_t mdt_size(tensor t, int64_t dim, int64_t* into) {
  MDT_DO(*into = t->size(dim));
}

MDT_API int32_t mdt_stride(tensor t, int64_t dim, int64_t* into) {
  MDT_DO(*into = t->stride(dim));
}

MDT_API int32_t mdt_strides(tensor t, int64_t* into) {
  MDT_DO(for (auto stride : t->strides()) *into++ = stride);
}

MDT_API int32_t mdt_storage_offset(tensor t, int64_t* into) {
  MDT_DO(*into = t->storage_offset());
}

MDT_API int32_t mdt_data(tensor t, void** into) {
  MDT_DO(*into = t->data_ptr());
}

MDT_API int32_t mdt_item(tensor t, scalar* into) {
  MDT_DO({
    const auto value = t->item();
    if (value.isBoolean()) {
      *into = {value.toBool() ? 1 : 0, scalar::boolean};
    } else if (value.isIntegral(false)) {
      *into = {value.toLong(), scalar::integer};
    } else {
      const auto number = value.toDouble();
      into->kind = scalar::floating;
      __builtin_memcpy(&into->bits, &number, sizeof number);
    }
  });
}

MDT_API tensor mdt_clone(tensor t) {
  MDT_TENSOR(t->clone());
}

MDT_API tensor mdt_detach(tensor t) {
  MDT_TENSOR(t->detach());
}

MDT_API int32_t mdt_detach_(tensor t) {
  MDT_DO(t->detach_());
}

MDT_API tensor mdt_alias(tensor t) {
  MDT_TENSOR(t->alias());
}

MDT_API tensor mdt_contiguous(tensor t) {
  MDT_TENSOR(t->contiguous());
}

MDT_API tensor mdt_to(tensor t, int32_t dtype, int32_t device, int32_t index, int32_t copy, int32_t non_blocking) {
  MDT_TENSOR(t->to(to_options({dtype, device, index, 0}), non_blocking != 0, copy != 0));
}

MDT_API tensor mdt_cuda(tensor t) {
  MDT_TENSOR(t->cuda());
}

MDT_API tensor mdt_pin_memory(tensor t) {
  MDT_TENSOR(t->pin_memory());
}

MDT_API int32_t mdt_is_pinned(tensor t, int32_t* into) {
  MDT_DO(*into = t->is_pinned() ? 1 : 0);
}

MDT_API int32_t mdt_copy_(tensor t, tensor source, int32_t non_blocking) {
  MDT_DO(t->copy_(*source, non_blocking != 0));
}

MDT_API int32_t mdt_fill_(tensor t, scalar value) {
  MDT_DO(t->fill_(to_scalar(value)));
}

MDT_API int32_t mdt_zero_(tensor t) {
  MDT_DO(t->zero_());
}

MDT_API int32_t mdt_set_(tensor t, tensor source) {
  MDT_DO(t->set_(*source));
}
