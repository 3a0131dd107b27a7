#pragma once

#include <chrono>

#include "engine/ranks/job.h"
#include "traces/costs.h"

namespace stagecraft {

/// Sleeps until `time`, to within some microseconds.
void WaitUntil(std::chrono::steady_clock::time_point time);

/// Stages that compute nothing and take the time of their costs: any schedule in real time on real
/// transports, to see orders, deadlocks and overheads without a model. `plan` and `costs` must live
/// on.
MakeWork RehearsalOf(const ExecutionPlan& plan, const Costs& costs);

}  // namespace stagecraft
