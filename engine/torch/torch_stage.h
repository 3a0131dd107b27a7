#pragma once

#include <memory>

#include "engine/model_stage.h"

namespace stagecraft {

/// A stage that LibTorch computes, in main memory or on a device. Throws `Error` if layers and
/// layout disagree.
std::unique_ptr<ModelStage> MakeTorchStage(StageSetup setup);

}  // namespace stagecraft
