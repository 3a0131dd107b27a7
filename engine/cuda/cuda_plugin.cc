#include "engine/cuda/cuda_framework.h"

/// What `LoadFramework` looks up. The framework lives as long as the process.
extern "C" __attribute__((visibility("default"))) stagecraft::Framework* StagecraftFramework() {
  // Never destroyed: CUDA may end before it would be.
  // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): of the process.
  static auto* const framework = new stagecraft::CudaFramework;
  return framework;
}
