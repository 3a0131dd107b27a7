#pragma once

#include <cstdint>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// Forwards of `microbatches` micro-batches through all `stages` (mode forward), on the placement
/// of a training schedule. Of a replicated stage, the replicas take turns.
///
///   rank 0 | F0 F1 F2 F3
///   rank 1 | .  F0 F1 F2 F3
///   rank 2 | .  .  F0 F1 F2 F3
///
/// Requires: each stage is on some rank; `microbatches` at least 1.
Schedule EvaluationSchedule(const Table<Table<std::int32_t>>& placement, std::int32_t stages,
                            std::int32_t microbatches);

}  // namespace stagecraft
