#pragma once

#include <optional>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "sim/topology.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Discrete events, in the order of (time, sequence number). Empty if ops wait for each other.
/// Requires the same of its arguments as `Simulate`, except freedom of deadlock.
std::optional<Timeline> RunEvents(const Schedule& schedule, const Dependencies& dependencies,
                                  const Costs& costs, const Topology& topology);

}  // namespace stagecraft
