#pragma once

#include "schedules/schedule.h"
#include "sim/topology.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft::test {

/// The twin of `Simulate`, so simple that it is seen to be right: every time starts at 0, and all
/// programs are gone through again and again with the rules of sim/README.md, each time moving what
/// is too early, until nothing moves any more. Shares nothing with `sim` but the rounding in
/// sim/durations.h. For small schedules that are free of deadlock: quadratic.
Timeline NaivelySimulate(const Schedule& schedule, const Costs& costs, const Topology& topology);

}  // namespace stagecraft::test
