#pragma once

#include <cstdint>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/weight_slots.h"

namespace stagecraft {

/// The micro-batches in [begin, end).
struct MicrobatchRange {
  std::int32_t begin = 0;
  std::int32_t end = 0;
};

/// Whether `microbatch` is in one of `ranges`, which ascend. O(log ranges).
bool Contains(const std::vector<MicrobatchRange>& ranges, std::int32_t microbatch);

/// The weights of one stage on one rank that outlive a drain.
struct LiveWeights {
  /// A version before the newest that some op behind the drain reads.
  struct Older {
    std::int32_t back = 1;  ///< How many updates before the newest.
    std::int32_t slot = 0;
    friend bool operator==(const Older&, const Older&) = default;
  };
  std::int32_t rank = 0;
  std::int32_t stage = 0;
  std::int32_t newest = 0;     ///< Slot of the newest version.
  std::vector<Older> older{};  ///< By `back`, ascending.
};

/// The ops of a schedule between two drains: what a run does that goes on where one ended, and that
/// one may go on from.
///
/// Micro-batches and versions count from 0 at its begin, so that an older version that is still
/// read there is negative. Slots are those of the whole schedule: nothing is overwritten that ops
/// behind the end read. All of a schedule is a window too. `Verify` knows nothing of older
/// versions; everything else takes a window for a schedule.
struct Window {
  Schedule schedule;
  WeightSlots slots;
  std::vector<LiveWeights> begin, end;  ///< By rank, then in placement order.
};

/// Whether `range` begins and ends at drains of `schedule`. A RECV that is posted before a drain
/// for what comes behind it hides that one.
bool IsWindow(const Schedule& schedule, MicrobatchRange range);

/// Requires `Verify(schedule)` empty, and a drain (`FindDrains`) at both ends of `range`, of which
/// 0 and the end of the schedule are two. O(ops * stages per rank).
Window CutWindow(const Schedule& schedule, MicrobatchRange range);

}  // namespace stagecraft
