#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "schedules/activations.h"
#include "schedules/dependencies.h"
#include "schedules/progress.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/cost_classes.h"
#include "sim/topology.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

/// One step of the sweep. Lanes are the ranks' programs and, behind them, the channels; what a lane
/// does is done in order. With the times `at` of the steps before it:
///
///   start         = max(free[lane], at[first], at[second])
///   free[lane]    = start + hold                            hold, flight: of its cost class
///   at[this step] = start + hold + flight                   at[0] = 0
///
/// So an op is a step on its rank's lane that waits for the transfer of its input; a transfer is a
/// step on its channel's lane that waits for the last step before its SEND and, unless sends are
/// eager, for the step of its RECV; its flight is the latency. Cells and all-reduces with many
/// inputs take extra steps that hold nothing.
struct Instruction {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  std::uint32_t lane = 0;
  std::uint32_t cost_class = 0;
};
static_assert(sizeof(Instruction) == 16);

/// A schedule made ready for many replays: an order in which every step comes after all it waits
/// for. 20 bytes per op, and 40 per transfer.
struct CompiledSchedule {
  SendMode send = SendMode::kEager;
  std::int32_t ranks = 0;
  std::int32_t lanes = 0;           ///< Ranks and channels.
  Table<Instruction> instructions;  ///< [0] stands for time 0.
  CostClasses classes;
  OpIds ids{Schedule{}};
  Table<std::int32_t> subject;  ///< Per instruction: op id; of a transfer its index; the
                                ///< number of ops if it belongs to none.
  Table<Transfer> transfers;    ///< By id of the SEND; no times yet.

  /// `op` has the span of `like`, the last op of its cell.
  struct SameSpan {
    std::int32_t op = 0;
    std::int32_t like = 0;
  };
  Table<SameSpan> same_spans;
};

/// Empty if ops of `schedule` wait for each other in `send` mode: the answer of `OrderOps`. With
/// `sizes`, one per stage, replays follow each rank's memory. Requires: `Verify(schedule)` finds
/// nothing but that; every edge between ranks has its SEND and RECV. O(ops).
std::optional<CompiledSchedule> Compile(const Schedule& schedule, const Dependencies& dependencies,
                                        SendMode send, TableView<const StageSizes> sizes = {});

/// Figures of one rank, found while replaying.
struct RankTotals {
  Nanoseconds end{0};           ///< End of its last op.
  Nanoseconds busy{0};          ///< Time in its ops.
  std::int64_t peak_bytes = 0;  ///< As `PeakMemory` finds it; 0 if compiled without sizes.

  friend bool operator==(const RankTotals&, const RankTotals&) = default;
};

/// The result of one replay, and what it needs beside the compiled schedule. Keep it from one
/// replay to the next: only the first one allocates.
struct ReplayState {
  Nanoseconds makespan{0};
  Table<RankTotals> ranks;

  struct Lane {
    std::int64_t free = 0;
    std::int64_t busy = 0;
    std::int64_t level = 0;
    std::int64_t peak = 0;
  };
  Table<Lane> lanes;
  Table<ClassCost> costs;  ///< Per class.
  Table<std::int64_t> at;  ///< Per instruction: when its result is there.
};

/// One scenario: `costs` as in `CheckCosts`, `topology.send` as compiled. O(instructions).
void Replay(const CompiledSchedule& compiled, const Costs& costs, const Topology& topology,
            ReplayState& state);

/// One scenario as a timeline.
Timeline ReplayTimeline(const CompiledSchedule& compiled, const Costs& costs,
                        const Topology& topology);
/// The same for the only scenario: takes `compiled` apart instead of copying from it.
Timeline ReplayTimeline(CompiledSchedule&& compiled, const Costs& costs, const Topology& topology);

}  // namespace stagecraft
