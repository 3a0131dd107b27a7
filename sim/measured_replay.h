#pragma once

#include <vector>

#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "schedules/window.h"
#include "traces/timeline.h"

namespace stagecraft {

/// What passes in a run from the moment at which an op could begin to its begin.
struct Delays {
  Nanoseconds dispatch{0};  ///< Behind the op before it on its rank: what the executor takes.
  Nanoseconds hop{0};       ///< And behind the op of another rank that it waits for: what comes
                            ///< on top for a tensor to get there and wake the rank up.
};

/// The medians over the micro-batches in `ranges` of a recorded run; 0 of what did not happen.
/// O(ops log ops).
Delays MeasureDelays(const Schedule& schedule, const Timeline& measured,
                     const Table<MicrobatchRange>& ranges);

/// What the A of each stage take on average, for the micro-batches in `ranges`, from the begin of
/// the last member on; 0 where there are none. The micro-batch before an A says where it belongs.
Table<Nanoseconds> MeasureAllReduces(const Schedule& schedule, const Timeline& measured,
                                     const Table<MicrobatchRange>& ranges);

/// When each op of a lowered `schedule` would run if it took exactly the time it took in
/// `measured`, and began `delays` after it could: what of a measured makespan the order of the ops
/// explains. An all-reduce takes the time from the begin of its last member on. The members of a
/// cell run one after the other, as the engine runs them. `measured` may be of a part of a run, cut
/// where the pipeline was empty. O(ops).
Timeline ReplayMeasured(const Schedule& schedule, const Timeline& measured,
                        const Delays& delays = {});

}  // namespace stagecraft
