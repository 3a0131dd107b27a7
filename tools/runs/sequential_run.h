#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/training.h"
#include "tools/runs/divergence.h"
#include "traces/layer_profile.h"

namespace stagecraft {

/// What each stage's ops took, and what the clocks of devices showed meanwhile, in MHz.
struct SequentialRun {
  std::vector<ProfileLayer> stages;
  std::vector<std::int32_t> clocks;
  std::vector<std::string> outliers;  ///< A sentence for each mean that hides some.
  std::optional<Divergence> diverged_at;
};

/// Trains `microbatches` micro-batches with all stages one after the other on one rank, where
/// nothing waits or competes; durations are means without the first
/// quarter. There is a step and, with several stages, a prediction per micro-batch. Throws what
/// `RunTraining` throws.
SequentialRun MeasureSequentially(const TrainingTask& task, std::int32_t microbatches);

}  // namespace stagecraft
