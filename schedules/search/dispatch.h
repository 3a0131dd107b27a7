#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "schedules/search/problem.h"
#include "schedules/tables.h"

namespace stagecraft {

/// What a rank does when it is free: the oldest micro-batch's backward that can run, else the
/// oldest micro-batch's forward that can run and fits, else a W, or it waits.
struct DispatchPolicy {
  bool split = true;  ///< Backwards are I and W; else one B of both times, and nothing is limited
                      ///< but `most_in_flight`.
  double fill = 0.5;  ///< A W is put into a gap of at least this part of its time.
  Table<std::int32_t> most_ahead{};  ///< Micro-batches of each stage between F and I; empty:
                                     ///< any number.
  std::int32_t most_in_flight = std::numeric_limits<std::int32_t>::max();  ///< Of the pipeline.
};

/// Lists the ops of every rank in the order in which they run if each rank decides so, time going
/// on: list scheduling. Micro-batch q goes through the ranks of `routes[q mod routes]`, one per
/// stage. Nothing if a micro-batch does not fit into the limit. O(ops (log ops + stages per rank)).
std::optional<AutoOrder> Dispatch(const AutoProblem& problem,
                                  const Table<Table<std::int32_t>>& routes,
                                  const DispatchPolicy& policy);

/// The rank of each stage. Requires that none is replicated.
Table<std::int32_t> RouteOf(const AutoProblem& problem);

}  // namespace stagecraft
