#pragma once

#include <vector>

#include "schedules/schedule.h"
#include "traces/timeline.h"

namespace stagecraft {

/// When each op of a lowered `schedule` would run if it took exactly the time it took in
/// `measured`, transfers took none, and nothing else came between: what of a measured makespan the
/// order of the ops explains. The members of a cell run one after the other, as the engine runs
/// them. `measured` may be of a part of a run, cut where the pipeline was empty. O(ops).
Timeline ReplayMeasured(const Schedule& schedule, const Timeline& measured);

}  // namespace stagecraft
