#pragma once

#include <cstdint>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/window.h"
#include "traces/layer_profile.h"
#include "traces/timeline.h"

namespace stagecraft {

/// What each stage's ops took on average in a recorded run: durations by kind, for one micro-batch
/// size. Counted are the ops of the micro-batches in `ranges`, and what stands between them (S, P,
/// A without one of their own). Kinds that did not run are missing; sizes are the caller's. The
/// first S and P of a stage in the range counts like any other. Requires: `timeline` is of this
/// schedule. O(ops).
std::vector<ProfileLayer> MeasureStages(const Schedule& schedule, const Timeline& timeline,
                                        const std::vector<MicrobatchRange>& ranges);

}  // namespace stagecraft
