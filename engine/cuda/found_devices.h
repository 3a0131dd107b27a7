#pragma once

#include "engine/model_stage.h"

namespace stagecraft {

/// The GPUs that CUDA finds, found by a forked process: the calling one has not touched CUDA and
/// may still fork.
DevicesFound FindCudaDevices();

}  // namespace stagecraft
