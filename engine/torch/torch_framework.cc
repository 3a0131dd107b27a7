#include "engine/torch/torch_framework.h"

#include <utility>

#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <torch/version.h>

#include "engine/torch/torch_stage.h"

namespace stagecraft {

std::string TorchFramework::Version() const {
  return "LibTorch " TORCH_VERSION;
}

void TorchFramework::PrepareThread() {
  at::set_num_threads(1);
  const at::Tensor square = at::zeros({64, 64});
  at::mm(square, square);  // The first product on a thread takes milliseconds more.
}

std::unique_ptr<ModelStage> TorchFramework::MakeStage(StageSetup setup) {
  return MakeTorchStage(std::move(setup));
}

}  // namespace stagecraft

/// What `LoadFramework` looks up. The framework lives as long as the process.
extern "C" __attribute__((visibility("default"))) stagecraft::Framework* StagecraftFramework() {
  static stagecraft::TorchFramework framework;
  return &framework;
}
