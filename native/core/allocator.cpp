// Where tensors on the CPU get their memory.
#include "mdt.h"

#ifdef __GLIBC__

#include <c10/core/CPUAllocator.h>

#include <cstdlib>
#include <cstring>

namespace {

constexpr size_t kAlignment = 64;

void release(void* data) {
  if (data) std::free(static_cast<void**>(data)[-1]);
}

// libtorch asks for aligned memory by posix_memalign. Before 2.38 glibc's looks for a free block that is larger than what it gives out, so it never takes
// back one of the same size (bug 14581): nearly every tensor gets fresh pages, which the kernel has to clear. malloc takes blocks back.
class BlockAllocator final : public c10::Allocator {
 public:
  // Without `override`: whether allocate is const, and whether copy_data exists, depends on libtorch's version.
  c10::DataPtr allocate(size_t bytes) const { return make(bytes); }
  c10::DataPtr allocate(size_t bytes) { return make(bytes); }
  c10::DeleterFnPtr raw_deleter() const { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }

 private:
  static c10::DataPtr make(size_t bytes) {
    const c10::Device cpu(c10::DeviceType::CPU);
    if (bytes == 0) return {nullptr, nullptr, &release, cpu};
    auto* block = bytes <= SIZE_MAX - kAlignment ? static_cast<char*>(std::malloc(bytes + kAlignment)) : nullptr;
    TORCH_CHECK(block, "not enough memory: you tried to allocate ", bytes, " bytes");
    // malloc aligns to 16, so there are 16 to 64 bytes before what is given out: room for the block's own address.
    auto* data = block + (kAlignment - reinterpret_cast<uintptr_t>(block) % kAlignment);
    reinterpret_cast<void**>(data)[-1] = block;
    return {data, data, &release, cpu};
  }
};

__attribute__((constructor)) void on_load() {
  static BlockAllocator allocator;
  c10::SetCPUAllocator(&allocator, 1);
}

}  // namespace

#endif
