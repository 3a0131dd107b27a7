#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/schedule.h"
#include "sim/topology.h"
#include "traces/costs.h"

namespace stagecraft {

// How long things take. Every engine asks these functions and nothing else.

/// Which of a stage's costs an op of `kind` has; null for SEND and RECV, which have none.
Nanoseconds StageCosts::*CostMemberOf(OpKind kind);

/// What an op of `kind` costs on a stage, at speed 1; 0 for SEND and RECV.
Nanoseconds CostOf(const StageCosts& stage, OpKind kind);

/// `cost` on a rank of relative speed `speed`: cost / speed, rounded to the nearest nanosecond.
/// The only place where a speed meets a time. Requires speed > 0 and a quotient below 2^62.
Nanoseconds AtSpeed(Nanoseconds cost, double speed);

/// Of a cell, or of one op alone, at speed 1: the sum of its members, unless there are several and
/// the stage of the first has a `joined` cost.
Nanoseconds CellCost(std::span<const Op> cell, const Costs& costs);

/// Of a boundary tensor that `send` carries: the output of its stage for SEND_F; for SEND_B the
/// gradient of the stage before it, which is as large as that stage's output.
std::int64_t BytesOf(const Op& send, const Costs& costs);

/// How long a transfer of `bytes` holds its channel: bytes / bandwidth, rounded to the nearest
/// nanosecond. It arrives the latency after that.
Nanoseconds HoldTime(std::int64_t bytes, const Topology& topology);

/// Everything that `costs` and `topology` must satisfy for `schedule`: an entry per stage, ranges,
/// speeds above 0, and a sum of all durations that an int64 of nanoseconds holds.
std::vector<Diagnostic> CheckCosts(const Schedule& schedule, const Costs& costs,
                                   const Topology& topology);

}  // namespace stagecraft
