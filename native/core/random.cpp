// Random numbers and the generators they come from. A null generator is the device's default one.
#include "mdt.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

#include <mutex>

using namespace mdt;

using generator = at::Generator*;

// Whole calls on a generator exclude each other: the kernels take the same lock.
template <class Body>
static auto locked(generator g, Body&& body) {
  std::lock_guard<std::mutex> lock(g->mutex());
  return body();
}

MDT_API generator mdt_generator_new(uint64_t seed, int32_t device, int32_t index) {
  try {
    const auto where = to_device(device, index);
    if (where.is_cpu()) return new at::Generator(at::make_generator<at::CPUGeneratorImpl>(seed));
    // A copy of the device's own: so no header of that device is needed here.
    auto result = at::globalContext().defaultGenerator(where).clone();
    result.set_current_seed(seed);
    return new at::Generator(result);
  } catch (...) {
    keep_error();
    return nullptr;
  }
}

MDT_API generator mdt_generator_default() {
  try {
    return new at::Generator(at::globalContext().defaultGenerator(at::Device(at::kCPU)));
  } catch (...) {
    keep_error();
    return nullptr;
  }
}

MDT_API void mdt_generator_free(generator g) {
  delete g;
}

MDT_API tensor mdt_generator_get_state(generator g) {
  MDT_TENSOR(locked(g, [&] { return g->get_state(); }));
}

MDT_API int32_t mdt_generator_set_state(generator g, tensor state) {
  MDT_DO(locked(g, [&] { g->set_state(*state); }));
}

MDT_API int32_t mdt_generator_manual_seed(generator g, uint64_t seed) {
  MDT_DO(locked(g, [&] { g->set_current_seed(seed); }));
}

MDT_API int32_t mdt_generator_initial_seed(generator g, uint64_t* into) {
  MDT_DO(*into = locked(g, [&] { return g->current_seed(); }));
}

// Seeds the default generators of every device.
MDT_API int32_t mdt_manual_seed(uint64_t seed) {
  MDT_DO(at::manual_seed(seed));
}

MDT_API tensor mdt_rand(const int64_t* sizes, int32_t count, generator g, options o) {
  MDT_TENSOR(with_grad(at::rand(dims(sizes, count), to_optional(g), to_options(o)), o));
}

MDT_API tensor mdt_randn(const int64_t* sizes, int32_t count, generator g, options o) {
  MDT_TENSOR(with_grad(at::randn(dims(sizes, count), to_optional(g), to_options(o)), o));
}

MDT_API tensor mdt_randint(int64_t low, int64_t high, const int64_t* sizes, int32_t count, generator g, options o) {
  MDT_TENSOR(with_grad(at::randint(low, high, dims(sizes, count), to_optional(g), to_options(o)), o));
}

MDT_API tensor mdt_randperm(int64_t n, generator g, options o) {
  MDT_TENSOR(with_grad(at::randperm(n, to_optional(g), to_options(o)), o));
}

MDT_API tensor mdt_rand_like(tensor a, options o) {
  MDT_TENSOR(with_grad(at::rand_like(*a, to_options(o)), o));
}

MDT_API tensor mdt_randn_like(tensor a, options o) {
  MDT_TENSOR(with_grad(at::randn_like(*a, to_options(o)), o));
}

MDT_API tensor mdt_randint_like(tensor a, int64_t low, int64_t high, options o) {
  MDT_TENSOR(with_grad(at::randint_like(*a, low, high, to_options(o)), o));
}

MDT_API tensor mdt_bernoulli(tensor p, generator g) {
  MDT_TENSOR(at::bernoulli(*p, to_optional(g)));
}

MDT_API int32_t mdt_bernoulli_(tensor a, double p, generator g) {
  MDT_DO(a->bernoulli_(p, to_optional(g)));
}

MDT_API int32_t mdt_bernoulli_tensor_(tensor a, tensor p, generator g) {
  MDT_DO(a->bernoulli_(*p, to_optional(g)));
}

MDT_API tensor mdt_multinomial(tensor p, int64_t samples, int32_t replacement, generator g) {
  MDT_TENSOR(at::multinomial(*p, samples, replacement != 0, to_optional(g)));
}

MDT_API int32_t mdt_normal_(tensor a, double mean, double std, generator g) {
  MDT_DO(a->normal_(mean, std, to_optional(g)));
}

MDT_API int32_t mdt_uniform_(tensor a, double from, double to, generator g) {
  MDT_DO(a->uniform_(from, to, to_optional(g)));
}

MDT_API int32_t mdt_exponential_(tensor a, double lambda, generator g) {
  MDT_DO(a->exponential_(lambda, to_optional(g)));
}
