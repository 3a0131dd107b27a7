#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// Updates that the gradients of one stage missed, over all its micro-batches.
struct StageStaleness {
  std::int32_t max = 0;  ///< max over all of (version of its S) - (version its F read).
  std::optional<std::int32_t> steady;              ///< The same over the stage's last update only.
  std::optional<std::int32_t> nominal_steady;      ///< With the version + horizon that its F read;
                                                   ///< the value furthest from 0.
  std::map<std::int32_t, std::int64_t> histogram;  ///< Staleness -> micro-batches.
};

/// Per stage. Micro-batches that no S follows are not counted. Requires `Verify(schedule)` empty.
Table<StageStaleness> FindStaleness(const Schedule& schedule);

/// Staleness of one gradient-bearing op (B or W), for those who want each: what was read and the S
/// that used it.
struct GradientUse {
  OpRef gradient;  ///< B or W.
  OpRef forward;   ///< The F of the same stage and micro-batch.
  std::int32_t stage = 0;
  std::int32_t microbatch = 0;
  std::int32_t version = 0;       ///< That its F read.
  std::int32_t horizon = 0;       ///< That its F read.
  std::int32_t step_version = 0;  ///< Version of the S that applied it.
};

/// Of all stages, by rank and then in program order of the S that uses them.
std::vector<GradientUse> GradientUses(const Schedule& schedule);

}  // namespace stagecraft
