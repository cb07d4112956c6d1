// Threads, devices and determinism: state of the whole process.
#include "mdt.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/cuda.h>

#include <dlfcn.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <climits>
#include <cstdlib>
#include <mutex>

namespace mdt {

// at::set_num_threads goes to OpenMP, whose count belongs to the thread that sets it: threads that ATen has already seen would keep theirs. Each
// exported call therefore looks whether the count was set since this thread last asked.
std::atomic<uint32_t> threads_generation{0};
static std::atomic<int> threads{0};

void adopt_threads() {
  const auto count = threads.load();
  if (count > 0) at::set_num_threads(count);
}

}  // namespace mdt

namespace {

// OpenBLAS built on pthreads (Debian's libopenblas0-pthread) has a pool of its own, which neither OpenMP nor ATen knows of.
void set_blas_threads(int count) {
  for (const char* name : {"openblas_set_num_threads", "openblas_set_num_threads64_"}) {
    if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, name))) set(count);
  }
  // This library is loaded with RTLD_LOCAL, so the default scope may lack what libtorch brought in.
  if (void* blas = dlopen("libopenblas.so.0", RTLD_LAZY | RTLD_NOLOAD)) {
    if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(blas, "openblas_set_num_threads"))) set(count);
    dlclose(blas);
  }
}

void set_deterministic(bool on) {
  auto& context = at::globalContext();
  // cuBLAS is deterministic only with a workspace of fixed size, which it reads from here when a handle is made.
  if (on) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  context.setDeterministicAlgorithms(on, false);
  context.setDeterministicCuDNN(on);
  context.setBenchmarkCuDNN(false);
#if MDT_TORCH_AT_LEAST(2, 2)
  // Filling what torch.empty returns would cost a pass over every new tensor, for programs that read what they did not write.
  context.setDeterministicFillUninitializedMemory(false);
#endif
}

// Tensors of a few megabytes come and go with every update. By default glibc maps each anew and gives it back, so that every update pays for the kernel to
// clear its pages: a third of the time of small policies. Kept in the heap instead; what a process had at its peak it keeps.
void keep_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

// On by default: when the library is loaded, before any call.
__attribute__((constructor)) void on_load() {
  keep_memory();
  try {
    set_deterministic(true);
  } catch (...) {
    mdt::keep_error();
  }
}

}  // namespace

MDT_API int32_t mdt_set_deterministic(int32_t on) {
  MDT_DO(set_deterministic(on != 0));
}

MDT_API int32_t mdt_is_deterministic() {
  return at::globalContext().deterministicAlgorithms() ? 1 : 0;
}

MDT_API int32_t mdt_set_num_threads(int32_t count) {
  MDT_DO({
    at::set_num_threads(count);  // throws for a bad count
    mdt::threads.store(count);
    mdt::threads_generation.fetch_add(1);
    set_blas_threads(count);
  });
}

MDT_API int32_t mdt_get_num_threads(int32_t* count) {
  MDT_DO(*count = at::get_num_threads());
}

MDT_API int32_t mdt_set_num_interop_threads(int32_t count) {
  MDT_DO(at::set_num_interop_threads(count));
}

MDT_API int32_t mdt_get_num_interop_threads(int32_t* count) {
  MDT_DO(*count = static_cast<int32_t>(at::get_num_interop_threads()));
}

MDT_API int32_t mdt_cuda_is_available() {
  try {
    return torch::cuda::is_available() ? 1 : 0;
  } catch (...) {
    return 0;
  }
}

MDT_API int32_t mdt_cuda_device_count() {
  try {
    return static_cast<int32_t>(torch::cuda::device_count());
  } catch (...) {
    return 0;
  }
}

MDT_API int32_t mdt_cuda_synchronize(int64_t index) {
  MDT_DO(torch::cuda::synchronize(index));
}

MDT_API int32_t mdt_cuda_manual_seed(uint64_t seed) {
  MDT_DO(torch::cuda::manual_seed(seed));
}

MDT_API int32_t mdt_cuda_manual_seed_all(uint64_t seed) {
  MDT_DO(torch::cuda::manual_seed_all(seed));
}

MDT_API const char* mdt_torch_version() {
  return TORCH_VERSION;
}
