#pragma once

#include <cstdint>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "sim/critical_path.h"
#include "sim/durations.h"
#include "sim/topology.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

enum class Engine : std::uint8_t {
  kReplay,  ///< Compiles a topological order, then one max-plus sweep. O(ops).
  kEvents,  ///< Discrete events on a heap. O(ops log ranks).
};

/// Predicts when each rank runs each op of a lowered `schedule`: see sim/README.md for the rules.
/// The result depends on the arguments only. Both engines give the same timeline.
///
/// Requires: `Verify(schedule, topology.send)` and `CheckCosts` are empty; every edge between
/// ranks has its SEND and RECV.
Timeline Simulate(const Schedule& schedule, const Costs& costs, const Topology& topology,
                  Engine engine = Engine::kReplay);

/// The same, for those who have `FindDependencies(schedule)` already.
Timeline Simulate(const Schedule& schedule, const Dependencies& dependencies, const Costs& costs,
                  const Topology& topology, Engine engine = Engine::kReplay);

}  // namespace stagecraft
