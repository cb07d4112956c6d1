// Views, indexing, gathering and scattering, joining and splitting.
#include "mdt.h"

#include <ATen/TensorIndexing.h>

using namespace mdt;

MDT_API tensor mdt_view(tensor a, const int64_t* d, int32_t n) {
  MDT_TENSOR(a->view(dims(d, n)));
}

MDT_API tensor mdt_reshape(tensor a, const int64_t* d, int32_t n) {
  MDT_TENSOR(at::reshape(*a, dims(d, n)));
}

MDT_API tensor mdt_flatten(tensor a, int64_t start, int64_t end) {
  MDT_TENSOR(at::flatten(*a, start, end));
}

MDT_API tensor mdt_unflatten(tensor a, int64_t dim, const int64_t* d, int32_t n) {
  MDT_TENSOR(a->unflatten(dim, dims(d, n)));
}

MDT_API tensor mdt_squeeze(tensor a) {
  MDT_TENSOR(at::squeeze(*a));
}

MDT_API tensor mdt_squeeze_dim(tensor a, int64_t dim) {
  MDT_TENSOR(at::squeeze(*a, dim));
}

MDT_API tensor mdt_unsqueeze(tensor a, int64_t dim) {
  MDT_TENSOR(at::unsqueeze(*a, dim));
}

MDT_API tensor mdt_t(tensor a) {
  MDT_TENSOR(at::t(*a));
}

MDT_API tensor mdt_numpy_T(tensor a) {
  MDT_TENSOR(a->numpy_T());
}

MDT_API tensor mdt_mT(tensor a) {
  MDT_TENSOR(a->mT());
}

MDT_API tensor mdt_transpose(tensor a, int64_t dim0, int64_t dim1) {
  MDT_TENSOR(at::transpose(*a, dim0, dim1));
}

MDT_API tensor mdt_permute(tensor a, const int64_t* d, int32_t n) {
  MDT_TENSOR(at::permute(*a, dims(d, n)));
}

MDT_API tensor mdt_expand(tensor a, const int64_t* d, int32_t n, int32_t implicit) {
  MDT_TENSOR(a->expand(dims(d, n), implicit != 0));
}

MDT_API tensor mdt_repeat(tensor a, const int64_t* d, int32_t n) {
  MDT_TENSOR(a->repeat(dims(d, n)));
}

// has_dim and has_size say whether the two optional numbers count.
MDT_API tensor mdt_repeat_interleave(tensor a, int64_t repeats, int32_t has_dim, int64_t dim, int32_t has_size, int64_t size) {
  MDT_TENSOR(at::repeat_interleave(*a, repeats, has_dim ? optional<int64_t>(dim) : optional<int64_t>(),
                                   has_size ? optional<int64_t>(size) : optional<int64_t>()));
}

MDT_API tensor mdt_repeat_interleave_tensor(tensor a, tensor repeats, int32_t has_dim, int64_t dim, int32_t has_size, int64_t size) {
  MDT_TENSOR(at::repeat_interleave(*a, *repeats, has_dim ? optional<int64_t>(dim) : optional<int64_t>(),
                                   has_size ? optional<int64_t>(size) : optional<int64_t>()));
}

MDT_API tensor mdt_as_strided(tensor a, const int64_t* sizes, int32_t n, const int64_t* strides, int32_t m, int64_t offset) {
  MDT_TENSOR(at::as_strided(*a, dims(sizes, n), dims(strides, m), offset));
}

MDT_API tensor mdt_narrow(tensor a, int64_t dim, int64_t start, int64_t length) {
  MDT_TENSOR(at::narrow(*a, dim, start, length));
}

MDT_API tensor mdt_slice(tensor a, int64_t dim, int64_t start, int64_t end, int64_t step) {
  MDT_TENSOR(at::slice(*a, dim, start, end, step));
}

MDT_API tensor mdt_select(tensor a, int64_t dim, int64_t index) {
  MDT_TENSOR(at::select(*a, dim, index));
}

MDT_API tensor mdt_diagonal(tensor a, int64_t offset, int64_t dim1, int64_t dim2) {
  MDT_TENSOR(at::diagonal(*a, offset, dim1, dim2));
}

MDT_API tensor mdt_tril(tensor a, int64_t diagonal) {
  MDT_TENSOR(at::tril(*a, diagonal));
}

MDT_API int32_t mdt_tril_(tensor a, int64_t diagonal) {
  MDT_DO(a->tril_(diagonal));
}

MDT_API tensor mdt_triu(tensor a, int64_t diagonal) {
  MDT_TENSOR(at::triu(*a, diagonal));
}

MDT_API int32_t mdt_triu_(tensor a, int64_t diagonal) {
  MDT_DO(a->triu_(diagonal));
}

MDT_API tensor mdt_flip(tensor a, const int64_t* d, int32_t n) {
  MDT_TENSOR(at::flip(*a, dims(d, n)));
}

MDT_API tensor mdt_roll(tensor a, const int64_t* shifts, int32_t n, const int64_t* d, int32_t m) {
  MDT_TENSOR(at::roll(*a, dims(shifts, n), dims(d, m)));
}

// ---- indexing ----

namespace {

// One index of a[...], as it comes from C#.
struct index_item {
  enum : int64_t { single = 0, slice = 1, none = 2, ellipsis = 3, boolean = 4, tensor_index = 5 };
  // A bound that is not given.
  static constexpr int64_t open = INT64_MIN;
  int64_t kind;
  int64_t start;  // of a slice; else the index, or the truth value
  int64_t stop;
  int64_t step;
  mdt::tensor tensor;
};

std::vector<at::indexing::TensorIndex> to_indices(const index_item* given, int32_t count) {
  using namespace at::indexing;
  std::vector<TensorIndex> result;
  result.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    const auto& one = given[i];
    const auto bound = [](int64_t value) { return value == index_item::open ? optional<int64_t>() : optional<int64_t>(value); };
    switch (one.kind) {
      case index_item::slice: result.emplace_back(Slice(bound(one.start), bound(one.stop), bound(one.step))); break;
      case index_item::none: result.emplace_back(None); break;
      case index_item::ellipsis: result.emplace_back(Ellipsis); break;
      case index_item::boolean: result.emplace_back(one.start != 0); break;
      case index_item::tensor_index: result.emplace_back(*one.tensor); break;
      default: result.emplace_back(one.start); break;
    }
  }
  return result;
}

}  // namespace

MDT_API tensor mdt_index(tensor a, const index_item* indices, int32_t count) {
  MDT_TENSOR(a->index(to_indices(indices, count)));
}

MDT_API int32_t mdt_index_put_(tensor a, const index_item* indices, int32_t count, tensor value) {
  MDT_DO(a->index_put_(to_indices(indices, count), *value));
}

MDT_API int32_t mdt_index_put_scalar_(tensor a, const index_item* indices, int32_t count, scalar value) {
  MDT_DO(a->index_put_(to_indices(indices, count), to_scalar(value)));
}

// Adds to what stands there, every time an index occurs. Only tensors and whole dimensions may be indices here.
MDT_API int32_t mdt_index_put_accumulate_(tensor a, const index_item* indices, int32_t count, tensor value) {
  MDT_DO({
    c10::List<optional<at::Tensor>> tensors;
    for (int32_t i = 0; i < count; ++i) {
      const auto& one = indices[i];
      const bool whole =
          one.kind == index_item::slice && one.start == index_item::open && one.stop == index_item::open && one.step == index_item::open;
      TORCH_CHECK(whole || one.kind == index_item::tensor_index, "index_put_ with accumulate takes tensors and whole slices as indices");
      tensors.push_back(whole ? optional<at::Tensor>() : optional<at::Tensor>(*one.tensor));
    }
    a->index_put_(tensors, *value, /*accumulate=*/true);
  });
}

MDT_API tensor mdt_index_select(tensor a, int64_t dim, tensor index) {
  MDT_TENSOR(at::index_select(*a, dim, *index));
}

MDT_API tensor mdt_gather(tensor a, int64_t dim, tensor index) {
  MDT_TENSOR(at::gather(*a, dim, *index));
}

MDT_API tensor mdt_take(tensor a, tensor index) {
  MDT_TENSOR(at::take(*a, *index));
}

MDT_API tensor mdt_take_along_dim(tensor a, tensor index, int32_t has_dim, int64_t dim) {
  MDT_TENSOR(at::take_along_dim(*a, *index, has_dim ? optional<int64_t>(dim) : optional<int64_t>()));
}

MDT_API tensor mdt_masked_select(tensor a, tensor mask) {
  MDT_TENSOR(at::masked_select(*a, *mask));
}

MDT_API tensor mdt_masked_fill(tensor a, tensor mask, scalar value) {
  MDT_TENSOR(at::masked_fill(*a, *mask, to_scalar(value)));
}

MDT_API int32_t mdt_masked_fill_(tensor a, tensor mask, scalar value) {
  MDT_DO(a->masked_fill_(*mask, to_scalar(value)));
}

MDT_API tensor mdt_scatter(tensor a, int64_t dim, tensor index, tensor source) {
  MDT_TENSOR(at::scatter(*a, dim, *index, *source));
}

MDT_API int32_t mdt_scatter_(tensor a, int64_t dim, tensor index, tensor source) {
  MDT_DO(a->scatter_(dim, *index, *source));
}

MDT_API tensor mdt_scatter_add(tensor a, int64_t dim, tensor index, tensor source) {
  MDT_TENSOR(at::scatter_add(*a, dim, *index, *source));
}

MDT_API int32_t mdt_scatter_add_(tensor a, int64_t dim, tensor index, tensor source) {
  MDT_DO(a->scatter_add_(dim, *index, *source));
}

MDT_API tensor mdt_index_add(tensor a, int64_t dim, tensor index, tensor source, scalar alpha) {
  MDT_TENSOR(at::index_add(*a, dim, *index, *source, to_scalar(alpha)));
}

MDT_API int32_t mdt_index_add_(tensor a, int64_t dim, tensor index, tensor source, scalar alpha) {
  MDT_DO(a->index_add_(dim, *index, *source, to_scalar(alpha)));
}

MDT_API tensor mdt_index_copy(tensor a, int64_t dim, tensor index, tensor source) {
  MDT_TENSOR(at::index_copy(*a, dim, *index, *source));
}

MDT_API int32_t mdt_index_copy_(tensor a, int64_t dim, tensor index, tensor source) {
  MDT_DO(a->index_copy_(dim, *index, *source));
}

MDT_API tensor mdt_index_fill(tensor a, int64_t dim, tensor index, scalar value) {
  MDT_TENSOR(at::index_fill(*a, dim, *index, to_scalar(value)));
}

MDT_API int32_t mdt_index_fill_(tensor a, int64_t dim, tensor index, scalar value) {
  MDT_DO(a->index_fill_(dim, *index, to_scalar(value)));
}

// ---- joining and splitting ----

MDT_API tensor mdt_cat(const tensor* tensors, int32_t count, int64_t dim) {
  MDT_TENSOR(at::cat(list(tensors, count), dim));
}

MDT_API tensor mdt_stack(const tensor* tensors, int32_t count, int64_t dim) {
  MDT_TENSOR(at::stack(list(tensors, count), dim));
}

MDT_API int64_t mdt_chunk(tensor a, int64_t chunks, int64_t dim) {
  MDT_LIST(at::chunk(*a, chunks, dim));
}

MDT_API int64_t mdt_split(tensor a, int64_t size, int64_t dim) {
  MDT_LIST(at::split(*a, size, dim));
}

MDT_API int64_t mdt_split_sizes(tensor a, const int64_t* d, int32_t n, int64_t dim) {
  MDT_LIST(at::split_with_sizes(*a, dims(d, n), dim));
}

MDT_API int64_t mdt_unbind(tensor a, int64_t dim) {
  MDT_LIST(at::unbind(*a, dim));
}
