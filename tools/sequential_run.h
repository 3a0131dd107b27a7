#pragma once

#include <cstdint>
#include <vector>

#include "engine/training.h"
#include "traces/layer_profile.h"

namespace stagecraft {

/// Trains `microbatches` micro-batches with all stages one after the other on one rank, where
/// nothing waits or competes, and gives what each stage's ops took: means without the first
/// quarter. There is a step and, with several stages, a prediction per micro-batch. Throws what
/// `RunTraining` throws.
std::vector<ProfileLayer> MeasureSequentially(const TrainingTask& task, std::int32_t microbatches);

}  // namespace stagecraft
