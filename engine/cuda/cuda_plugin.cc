#include "engine/cuda/cuda_framework.h"

/// What `LoadFramework` looks up. The framework lives as long as the process.
extern "C" __attribute__((visibility("default"))) stagecraft::Framework* StagecraftFramework() {
  static auto* const framework = new stagecraft::CudaFramework;  // CUDA may end before it would.
  return framework;
}
