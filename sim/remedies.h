#pragma once

#include <vector>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/cost_classes.h"
#include "sim/cost_item.h"
#include "sim/topology.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

/// One figure made better by a tenth, and the makespan with it.
struct Remedy {
  CostItem item;
  Nanoseconds after{0};
};

/// Tries every figure that a run of the lowered `schedule` depends on, each alone and with the
/// order of the ops as it is (`MakeTenthBetter`): each kind of op on each stage, each stage's cells
/// that have a `joined` cost, latency, bandwidth, and the speed of each rank. What is 0 or not used
/// is left out, and so is bandwidth where transfers take the latency only. The shortest makespan
/// first; figures that give the same one in the order of `CostItem`.
///
/// Requires `Verify` in the topology's send mode and `CheckCosts` empty. O(ops) per figure: the
/// order is compiled once and replayed.
Table<Remedy> TryRemedies(const Schedule& schedule, const Dependencies& dependencies,
                          const Costs& costs, const Topology& topology);

/// Costs and latency become a tenth less, rounded to the nearest nanosecond; bandwidth and speeds a
/// tenth more.
void MakeTenthBetter(const CostItem& item, Costs& costs, Topology& topology);

/// What `TryRemedies` tries, in the order of `CostItem`.
Table<CostItem> ItemsUsed(const CostClasses& classes, const Costs& costs, const Topology& topology);

}  // namespace stagecraft
