// What every file of this library shares: the C interface's types, and the guards that turn C++ exceptions into error codes.
//
// The interface is meant for blittable P/Invoke, so it has no strings on hot paths, no callbacks and no C++ types:
//   * a tensor is an at::Tensor* that the caller owns and gives back to mdt_free; a null pointer stands for "none";
//   * a function that makes a tensor returns it, or null on failure;
//   * any other function returns 0, or -1 on failure; its results go through pointers;
//   * after a failure mdt_error() has the message, on the same thread, until the next failure.
// An exported function is a body in one of the MDT_ macros, which catch every exception: none may cross into the caller.
#pragma once

#include <ATen/ATen.h>
#include <torch/version.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <optional>
#include <vector>

#define MDT_API extern "C" __attribute__((visibility("default")))

#define MDT_TORCH_AT_LEAST(major, minor) (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace mdt {

// From 2.4 on libtorch's optional is the standard's; before, it had its own.
#if MDT_TORCH_AT_LEAST(2, 4)
using std::nullopt;
using std::optional;
#else
using c10::nullopt;
using c10::optional;
#endif

using tensor = at::Tensor*;

// A number as it comes from C#: kind says how to read the bits.
struct scalar {
  enum : int64_t { none = -1, floating = 0, integer = 1, boolean = 2 };
  int64_t bits;
  int64_t kind;
};

// dtype, device and device index may be -1: not given.
struct options {
  int32_t dtype;
  int32_t device;
  int32_t index;
  int32_t requires_grad;
};

inline at::Scalar to_scalar(scalar value) {
  switch (value.kind) {
    case scalar::integer: return at::Scalar(value.bits);
    case scalar::boolean: return at::Scalar(value.bits != 0);
    default: {
      double number;
      static_assert(sizeof number == sizeof value.bits, "");
      __builtin_memcpy(&number, &value.bits, sizeof number);
      return at::Scalar(number);
    }
  }
}

inline optional<at::Scalar> to_optional(scalar value) {
  return value.kind == scalar::none ? optional<at::Scalar>() : optional<at::Scalar>(to_scalar(value));
}

inline optional<at::ScalarType> to_dtype(int dtype) {
  return dtype < 0 ? optional<at::ScalarType>() : optional<at::ScalarType>(static_cast<at::ScalarType>(dtype));
}

inline at::Device to_device(int device, int index) {
  return at::Device(static_cast<at::DeviceType>(device), static_cast<c10::DeviceIndex>(index));
}

inline at::TensorOptions to_options(options given) {
  at::TensorOptions result;
  if (given.dtype >= 0) result = result.dtype(static_cast<at::ScalarType>(given.dtype));
  if (given.device >= 0) result = result.device(to_device(given.device, given.index));
  return result;
}

// requires_grad is not among the options that the at:: factories heed.
inline at::Tensor with_grad(at::Tensor result, options given) {
  return given.requires_grad ? result.set_requires_grad(true) : result;
}

inline optional<at::Tensor> to_optional(tensor value) {
  return value == nullptr ? optional<at::Tensor>() : optional<at::Tensor>(*value);
}

inline optional<at::Generator> to_optional(at::Generator* value) {
  return value == nullptr ? optional<at::Generator>() : optional<at::Generator>(*value);
}

inline at::Tensor or_undefined(tensor value) {
  return value == nullptr ? at::Tensor() : *value;
}

inline at::IntArrayRef dims(const int64_t* values, int32_t count) {
  return at::IntArrayRef(values, static_cast<size_t>(count));
}

inline std::vector<at::Tensor> list(const tensor* values, int32_t count) {
  std::vector<at::Tensor> result;
  result.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) result.push_back(or_undefined(values[i]));
  return result;
}

// Keeps the exception being handled as this thread's error. Only inside a catch block.
void keep_error() noexcept;

// Keeps a list of results until mdt_take_list fetches them; returns how many.
int64_t keep_list(std::vector<at::Tensor> results);

// The number of threads is one for the whole process: see runtime.cpp.
extern std::atomic<uint32_t> threads_generation;
void adopt_threads();

inline void enter() {
  static thread_local uint32_t seen = 0;
  const auto current = threads_generation.load(std::memory_order_relaxed);
  if (seen != current) {
    adopt_threads();
    seen = current;
  }
}

template <class Body>
tensor tensor_of(Body&& body) noexcept {
  try {
    enter();
    return new at::Tensor(body());
  } catch (...) {
    keep_error();
    return nullptr;
  }
}

template <class Body>
int32_t status_of(Body&& body) noexcept {
  try {
    enter();
    body();
    return 0;
  } catch (...) {
    keep_error();
    return -1;
  }
}

template <class Body>
int64_t list_of(Body&& body) noexcept {
  try {
    enter();
    return keep_list(body());
  } catch (...) {
    keep_error();
    return -1;
  }
}

// Two results of one call.
template <class Pair>
void put(Pair&& pair, tensor* first, tensor* second) {
  *first = new at::Tensor(std::get<0>(pair));
  *second = new at::Tensor(std::get<1>(pair));
}

}  // namespace mdt

// The body of an exported function that makes one tensor.
#define MDT_TENSOR(...) return mdt::tensor_of([&]() -> at::Tensor { return __VA_ARGS__; })
// ... that works in place or fills its out parameters.
#define MDT_DO(...) return mdt::status_of([&]() { __VA_ARGS__; })
// ... that makes a list of tensors.
#define MDT_LIST(...) return mdt::list_of([&]() { return __VA_ARGS__; })
