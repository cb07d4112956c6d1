// Streams of a device, by the interface that all kinds of device share: it needs no header of CUDA.
#include "mdt.h"

#include <c10/core/impl/VirtualGuardImpl.h>

using namespace mdt;

// From now on what this thread gives the device to do goes to a stream out of the device's pool, and not to the one that all threads share.
MDT_API int32_t mdt_stream_take(int32_t device, int32_t index) {
  MDT_DO({
    const c10::impl::VirtualGuardImpl guard(static_cast<at::DeviceType>(device));
    const auto where = index < 0 ? guard.getDevice() : to_device(device, index);
    guard.exchangeStream(guard.getStreamFromGlobalPool(where, /*isHighPriority=*/false));
  });
}
