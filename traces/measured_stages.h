#pragma once

#include <cstdint>
#include <vector>

#include "schedules/schedule.h"
#include "traces/layer_profile.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Which part of a run counts: ops of the micro-batches in [begin, end), and what stands between
/// them (S, P, A without one of their own).
struct MicrobatchRange {
  std::int32_t begin = 0;
  std::int32_t end = 0;
};

/// What each stage's ops took on average in a recorded run: durations by kind, for one micro-batch
/// size. Kinds that did not run are missing; sizes are the caller's. The first S and P of a stage
/// in the range counts like any other. Requires: `timeline` is of this schedule. O(ops).
std::vector<ProfileLayer> MeasureStages(const Schedule& schedule, const Timeline& timeline,
                                        MicrobatchRange range);

}  // namespace stagecraft
