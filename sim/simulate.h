#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/schedule.h"
#include "sim/topology.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Everything that `costs` and `topology` must satisfy for `schedule`: an entry per stage, ranges,
/// speeds above 0, and a sum of all durations that an int64 of nanoseconds holds.
std::vector<Diagnostic> CheckCosts(const Schedule& schedule, const Costs& costs,
                                   const Topology& topology);

/// Predicts when each rank runs each op of a lowered `schedule`: see sim/README.md for the rules.
/// The result depends on the arguments only. Both engines give the same timeline.
///
/// Requires: `Verify(schedule, topology.send)` and `CheckCosts` are empty; every edge between
/// ranks has its SEND and RECV.
enum class Engine : std::uint8_t {
  kReplay,  ///< Compiles a topological order, then one max-plus sweep. O(ops).
  kEvents,  ///< Discrete events on a heap. O(ops log ranks).
};
Timeline Simulate(const Schedule& schedule, const Costs& costs, const Topology& topology,
                  Engine engine = Engine::kReplay);

/// Why the op that ends last ends when it does, from time 0 to the makespan, without gaps.
struct CriticalStep {
  enum class Kind : std::uint8_t { kOp, kTransfer };
  Kind kind = Kind::kOp;
  OpRef op;  ///< The op, or the SEND of the transfer.
  Nanoseconds start{0};
  Nanoseconds end{0};
};

/// The critical path, in time order: each step starts where the one before ends. Ops of zero length
/// are left out. Of several binding reasons the rank's own previous op wins, then the input, then
/// the channel. O(ops).
std::vector<CriticalStep> CriticalPath(const Schedule& schedule, const Timeline& timeline,
                                       const Topology& topology);

}  // namespace stagecraft
