#pragma once

#include <cstdint>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// A point at which the pipeline is empty: every op of the first `microbatches` micro-batches, with
/// the S that apply their gradients, comes before it, and no op of any other.
///
///   rank 0 | F0 F1 .  .  B0 B1 S | F2 F3 .  .  B2 B3 S |
///   rank 1 | .  F0 B0 F1 B1 S  . | .  F2 B2 F3 B3 S  . |
///                                2                     4
struct Drain {
  std::int32_t microbatches = 0;
  Table<std::int32_t> end;  ///< Per rank: index of the first op behind it.
};

/// All drains, ascending; the last is the end of the schedule. Works with and without
/// communication. A P belongs to the side of its readers. Requires `Verify(schedule)` empty.
/// O(ops + drains * ranks).
std::vector<Drain> FindDrains(const Schedule& schedule);

}  // namespace stagecraft
