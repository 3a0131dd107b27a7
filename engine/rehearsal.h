#pragma once

#include <chrono>
#include <cstdint>
#include <map>

#include "engine/executor.h"
#include "traces/costs.h"

namespace stagecraft {

/// Sleeps until `time`, to within some microseconds.
void WaitUntil(std::chrono::steady_clock::time_point time);

/// Stages that compute nothing and take the time of their costs: any schedule in
/// real time on real transports, to see orders, deadlocks and overheads without a model. Called on
/// the thread that will run them.
std::map<std::int32_t, StagePart> RehearsalParts(const Schedule& schedule, std::int32_t rank,
                                                 const Costs& costs);

}  // namespace stagecraft
