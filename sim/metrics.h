#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/critical_path.h"
#include "traces/costs.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Where a rank's idle time goes; together with `busy` it adds up to the makespan.
struct IdleTime {
  Nanoseconds warm_up{0};     ///< Before its first op that takes time.
  Nanoseconds transfer{0};    ///< Inside: waiting while the input is on its way.
  Nanoseconds dependency{0};  ///< Inside: waiting for the op that makes the input, or for members
                              ///< of an all-reduce.
  Nanoseconds cool_down{0};   ///< After its last op that takes time.

  friend bool operator==(const IdleTime&, const IdleTime&) = default;
};

struct RankMetrics {
  std::int32_t rank = 0;
  Nanoseconds busy{0};
  double bubble = 0;         ///< Idle share of [0, makespan).
  double window_bubble = 0;  ///< Idle share from its first start to its last end.
  IdleTime idle;
  std::int64_t peak_bytes = 0;
  OpRef peak_op;  ///< `kNoOp` if the rank's program is empty.
};

struct StageMetrics {
  std::int32_t stage = 0;
  std::int32_t weight_slots = 1;
  std::optional<std::int32_t> staleness_steady;
  std::int32_t staleness_max = 0;
  std::map<std::int32_t, std::int64_t> staleness_histogram;
  std::optional<std::int32_t> nominal_staleness_steady;
  std::int32_t activation_sets_peak = 0;
};

/// What is reported of one run; every figure is defined in sim/README.md.
struct Metrics {
  Nanoseconds makespan{0};
  double bubble = 0;               ///< Idle rank-time over all rank-time in [0, makespan).
  double window_bubble = 0;        ///< That of the worst rank.
  double samples_per_second = 0;   ///< Over the whole run; 0 if it takes no time.
  std::optional<double> cycle_ns;  ///< Per micro-batch in the periodic steady state.
  std::int64_t ops = 0;            ///< Of the lowered schedule.
  Table<RankMetrics> ranks;
  Table<StageMetrics> stages;
};

/// `timeline` of the lowered `schedule`. Requires `Verify` empty. O(ops).
Metrics Measure(const Schedule& schedule, const Timeline& timeline, const Costs& costs);

/// The same, for those who have `FindDependencies(schedule)` already.
Metrics Measure(const Schedule& schedule, const Dependencies& dependencies,
                const Timeline& timeline, const Costs& costs);

}  // namespace stagecraft
