#pragma once

#include <cuda_runtime_api.h>
#include <memory>

#include "engine/optimizer/weight_memory.h"

namespace stagecraft {

/// Weights in the current GPU's memory, updated by kernels on `stream`.
std::unique_ptr<WeightMemory> MakeCudaWeights(cudaStream_t stream);

}  // namespace stagecraft
