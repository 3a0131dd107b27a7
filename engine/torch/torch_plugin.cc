#include "engine/torch/torch_framework.h"

/// What `LoadFramework` looks up. The framework lives as long as the process.
extern "C" __attribute__((visibility("default"))) stagecraft::Framework* StagecraftFramework() {
  static stagecraft::TorchFramework framework;
  return &framework;
}
