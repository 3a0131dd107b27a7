#include "engine/cuda/gpu_clock.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

namespace stagecraft {
namespace {

// The few calls of NVML that are needed, found at run time: it comes with the driver only.
using NvmlDevice = void*;
using Init = int (*)();
using ByBus = int (*)(const char* bus, NvmlDevice* device);
using ClockOf = int (*)(NvmlDevice device, int type, unsigned* mhz);

constexpr int kMultiprocessors = 1;  // NVML_CLOCK_SM.

template <typename Call>
Call Find(void* library, const char* name) {
  return reinterpret_cast<Call>(dlsym(library, name));
}

}  // namespace

std::optional<std::int32_t> GpuClock(std::int32_t device) {
  void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  if (library == nullptr) {
    return std::nullopt;
  }
  const auto init = Find<Init>(library, "nvmlInit_v2");
  const auto by_bus = Find<ByBus>(library, "nvmlDeviceGetHandleByPciBusId_v2");
  const auto clock_of = Find<ClockOf>(library, "nvmlDeviceGetClockInfo");

  char bus[32] = {};
  NvmlDevice handle = nullptr;
  unsigned mhz = 0;
  if (cudaDeviceGetPCIBusId(bus, sizeof bus, device) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());  // Else the next launch would be taken for the failure.
    return std::nullopt;
  }

  if (init == nullptr || by_bus == nullptr || clock_of == nullptr || init() != 0 ||
      by_bus(bus, &handle) != 0 || clock_of(handle, kMultiprocessors, &mhz) != 0) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(mhz);
}

}  // namespace stagecraft
