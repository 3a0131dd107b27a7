#pragma once

#include <cstdint>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "traces/timeline.h"

namespace stagecraft {

/// How far a measured timeline is from the predicted one of the same lowered schedule. Ops that
/// communicate take no part: what they do shows in when their consumers start.
struct TimelineDifference {
  /// One rank.
  struct Rank {
    Nanoseconds predicted_busy{0};  ///< Time in ops that compute or update.
    Nanoseconds measured_busy{0};
    Nanoseconds predicted_end{0};  ///< End of its last op; 0 without one.
    Nanoseconds measured_end{0};
  };
  /// All ops of one kind on one stage.
  struct Kind {
    OpKind kind = OpKind::kForward;
    std::int32_t stage = 0;
    std::int64_t ops = 0;
    Nanoseconds predicted{0};  ///< Sum of their durations.
    Nanoseconds measured{0};
  };

  Nanoseconds predicted{0};  ///< End of the last op on any rank.
  Nanoseconds measured{0};
  Table<Rank> ranks;
  Table<Kind> kinds;  ///< By kind, then stage; only those that are there.
  OpRef worst;        ///< The op whose start is furthest from the prediction; `kNoOp` if all
                      ///< start as predicted.
  Nanoseconds worst_late{0};  ///< Its measured minus its predicted start.

  /// measured / predicted - 1; 0 if nothing was predicted to take time.
  double Error() const;
};

/// Both timelines are of `schedule`, and begin at their time 0. O(ops).
TimelineDifference Difference(const Schedule& schedule, const Timeline& predicted,
                              const Timeline& measured);

}  // namespace stagecraft
