#pragma once

#include <cstdint>

#include "schedules/diagnostic.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// `schedule` executed `times` times over: its micro-batch q becomes q, m + q, 2m + q, ..., and its
/// version 0 is, each time, the newest one of that stage.
///
///   once   rank 0 | 0F0@0 0B0@0 0S@0
///   twice  rank 0 | 0F0@0 0B0@0 0S@0 0F1@1 0B1@1 0S@1
///
/// Errors if `times` is below 1, or if the result has more ops or micro-batches than can be
/// counted. The result verifies if the schedule does. O(times * ops).
Result<Schedule> Repeat(const Schedule& schedule, std::int32_t times);

}  // namespace stagecraft
