#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/training.h"
#include "tools/runs/divergence.h"
#include "traces/layer_profile.h"

namespace stagecraft {

/// What the ops of each stage took when nothing else ran.
struct SequentialRun {
  std::vector<ProfileLayer> stages;
  std::vector<std::int32_t> clocks;   ///< Clock rates in MHz that devices showed meanwhile.
  std::vector<std::string> outliers;  ///< A sentence for each mean that outliers distort.
  /// Times behind it may be unusual; nullopt: all was finite.
  std::optional<Divergence> diverged_at;
};

/// Trains `microbatches` micro-batches with all stages one after the other on one rank, where
/// nothing waits or competes. Durations are means without the first quarter of the micro-batches.
/// There is a step and, with several stages, a prediction per micro-batch. Throws what
/// `RunTraining` throws.
SequentialRun MeasureSequentially(const TrainingTask& task, std::int32_t microbatches);

}  // namespace stagecraft
