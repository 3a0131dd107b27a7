#pragma once

#include <cstdint>
#include <optional>

#include "schedules/schedule.h"
#include "traces/timeline.h"

namespace stagecraft {

/// The periodic steady state of a run: every F, B, I, W and R of micro-batch q + `microbatches`
/// starts exactly `time` after that of micro-batch q.
///
///   rank 1 | .  F0 F1 .  .  B0--- F2 B1--- F3 B2--- F4 B3--- .  B4---
///                           ramp     |------->| q + 1 is 3 later: microbatches 1, time 3
struct Cycle {
  std::int32_t microbatches = 0;  ///< At least 1.
  Nanoseconds time{0};

  double PerMicrobatch() const {
    return static_cast<double>(time.count()) / static_cast<double>(microbatches);
  }
};

/// The shortest period K that holds, to the nanosecond, for a run of consecutive micro-batches q
/// around the middle one (it holds the middle one or ends right before it), if the run has at least
/// K and, with the K behind it, covers at least half of all micro-batches. Empty if there is none,
/// or if it takes no time. O(ops).
std::optional<Cycle> FindCycle(const Schedule& schedule, const Timeline& timeline);

}  // namespace stagecraft
