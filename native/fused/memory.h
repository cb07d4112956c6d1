// Memory of floats with one owner, beginning at a cache line.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace mdt {
namespace fused {

class memory {
 public:
  memory() = default;

  // Not posix_memalign: glibc before 2.38 seldom reuses what was freed for it, and the kernel clears new pages for longer than we take to fill them.
  explicit memory(int64_t count) : owned(std::malloc(static_cast<size_t>(count) * sizeof(float) + line)) {
    if (!owned) throw std::bad_alloc();
  }

  float* get() const {
    const auto address = reinterpret_cast<uintptr_t>(owned.get());
    return reinterpret_cast<float*>((address + line - 1) / line * line);
  }

 private:
  struct release {
    void operator()(void* p) const { std::free(p); }
  };

  static constexpr size_t line = 64;
  std::unique_ptr<void, release> owned;
};

}  // namespace fused
}  // namespace mdt
