#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/lower.h"
#include "schedules/schedule.h"
#include "sim/metrics.h"
#include "sim/simulate.h"
#include "sim/topology.h"
#include "tools/terminal.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

/// One schedule, simulated.
struct SimulatedRun {
  Schedule lowered;  ///< The schedule with communication.
  Costs costs;
  Topology topology;
  Timeline timeline;                   ///< When each op and transfer happened.
  Metrics metrics;                     ///< What follows from it.
  std::string costs_basis{};           ///< What the costs are for, as `CostSource::Basis` says.
  std::vector<std::int64_t> memory{};  ///< What each rank may hold; empty if that is unlimited.
};

/// What a schedule must pass before it can be simulated.
struct LoweringRequest {
  ReceivePolicy receive;       ///< Where receives are posted, if there are none yet.
  bool receive_given = false;  ///< Whether `--receive` was on the command line.
  bool generated = false;  ///< A generated schedule is correct: only the lowered one is verified.
  SendMode send = SendMode::kEager;  ///< The mode that the schedule is verified in.
};

/// A schedule with communication, and what was worked out to verify it.
struct Lowered {
  Schedule schedule;
  Dependencies dependencies;
};

/// The schedule with communication, verified in the send mode. Throws `CommandFailure`: refused,
/// with every diagnostic, or usage if it has communication and `--receive` was given.
Lowered LowerAndVerify(Schedule schedule, const LoweringRequest& request);

/// Simulates `lowered` and measures. Throws `CommandFailure` (usage) if costs are out of range.
SimulatedRun SimulateAndMeasure(Lowered lowered, Costs costs, Topology topology, Engine engine,
                                Progress& progress);

}  // namespace stagecraft
