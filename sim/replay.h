#pragma once

#include <cstdint>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "sim/topology.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

// The compiled replay: see sim/replay.cc. `CompiledSchedule Compile(schedule, send mode)` finds the
// order once; `Replay(compiled, costs, topology)` sweeps it, as often as wanted.

}  // namespace stagecraft
