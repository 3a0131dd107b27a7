#pragma once

#include <cstdint>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/cost_item.h"
#include "sim/topology.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Why the op that ends last ends when it does, from time 0 to the makespan, without gaps.
struct CriticalStep {
  enum class Kind : std::uint8_t { kOp, kTransfer };
  Kind kind = Kind::kOp;
  OpRef op;  ///< The op, of a cell its first; or the SEND of the transfer.
  Nanoseconds start{0};
  Nanoseconds end{0};
};

/// The critical path, in time order: each step starts where the one before ends. Ops of zero length
/// are left out. Of several binding reasons the rank's own previous op wins, then the input, then
/// the channel. A transfer that only keeps the next one from starting ends where it leaves the
/// channel. `timeline` must be that of `Simulate`. O(ops).
Table<CriticalStep> CriticalPath(const Schedule& schedule, const Timeline& timeline,
                                 const Topology& topology);

/// How the makespan changes per nanosecond of one cost, from the critical path.
struct Sensitivity {
  CostItem item;           ///< Ops of one kind and stage, transfers of one kind and stage of the
                           ///< SEND, or cells that begin on one stage.
  std::int64_t steps = 0;  ///< Times on the critical path = d makespan / d cost, at speed 1.
  Nanoseconds total{0};    ///< Time on the critical path; all together: the makespan.
};

/// Adds up `path` by what its steps cost, the largest total first. A cell with a `joined` cost is
/// booked as a cell; the time of one without is divided among its members by their costs.
Table<Sensitivity> Sensitivities(const Schedule& schedule, const Costs& costs,
                                 const Table<CriticalStep>& path);

}  // namespace stagecraft
