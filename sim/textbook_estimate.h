#pragma once

#include <cstdint>
#include <optional>

#include "schedules/schedule.h"
#include "sim/topology.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

/// The textbook's (m + p - 1) t per batch, t what a micro-batch takes on the slowest rank.
struct TextbookEstimate {
  std::int64_t microbatches = 0;  ///< m, per batch.
  std::int64_t batches = 0;       ///< Flushes; 1 if the pipeline never empties.
  Nanoseconds slowest{0};  ///< t: F, B, I, W and R of all stages of a rank, at its speed, per
                           ///< micro-batch on average.
  Nanoseconds makespan{0};
  double bubble = 0;  ///< (p - 1) / (m + p - 1)
};

/// Nothing if a stage is replicated, which the formula does not know. Requires `Verify` empty.
/// O(ops).
std::optional<TextbookEstimate> EstimateByTextbook(const Schedule& schedule, const Costs& costs,
                                                   const Topology& topology);

}  // namespace stagecraft
