#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/search/problem.h"
#include "schedules/tables.h"

namespace stagecraft {

/// `programs` of F, I and W with the times that they take by the problem's estimates, each op as
/// early as its rank and its input allow; nothing if they exceed the limit somewhere or can't run
/// to the end. Requires stages and micro-batches in range. O(ops).
std::optional<AutoOrder> TimeOrder(const AutoProblem& problem, Table<Program> programs);

/// What the rank that keeps most keeps at a time. O(ops).
std::int64_t MostKept(const AutoProblem& problem, const Table<Program>& programs);

}  // namespace stagecraft
