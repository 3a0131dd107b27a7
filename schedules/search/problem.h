#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "schedules/op.h"
#include "schedules/placements.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// What one micro-batch takes on a stage, as an automatic scheduler is told. Times share a unit,
/// such as nanoseconds, and are at least 1, `hop` at least 0; sizes share a unit, such as bytes.
struct StageEstimate {
  std::int64_t forward = 1;
  std::int64_t backward_input = 1;
  std::int64_t backward_weight = 1;
  std::int64_t hop = 0;       ///< To the next stage and back, if that is on another rank.
  std::int64_t kept = 1;      ///< Held from F to W.
  std::int64_t released = 0;  ///< Part of `kept` that I gives back.
};

/// One batch to be scheduled: every stage on one rank.
struct AutoProblem {
  Placement placement;
  Table<StageEstimate> stages;
  std::int32_t microbatches = 1;
  Table<std::int64_t> limits;  ///< Most that each rank may keep at a time.

  std::int64_t Ops() const {
    return std::int64_t{3} * microbatches * static_cast<std::int64_t>(stages.size());
  }
};

/// Programs of one batch, version 0, without steps.
struct AutoOrder {
  Table<Program> programs;
  std::int64_t window = 0;    ///< Longest time of a rank from its first start to its last end.
  std::int64_t makespan = 0;  ///< Last end of all.
};

/// How a search stands.
struct AutoReport {
  std::int64_t window = 0;       ///< Of the best order so far,
  std::int64_t makespan = 0;     ///< which comes next where windows are equal.
  std::int64_t lower_bound = 0;  ///< No order within the limit has a shorter window.
  std::int32_t tried = 0;        ///< Orders so far,
  std::int32_t planned = 0;      ///< and in all.
};

/// Called after every order that was tried, from the first that fits on; false ends the search with
/// the best so far.
using AutoWatch = std::function<bool(const AutoReport&)>;

}  // namespace stagecraft
