#include "schedules/repeat.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kMostOps = std::int64_t{1} << 27;  ///< 2 GB of them.

/// Optimizer steps of each stage, on a rank that holds it.
Table<std::int32_t> StepsOfStages(const Schedule& schedule) {
  Table<std::int32_t> most(schedule.shape.stages);
  for (const Program& program : schedule.programs) {
    Table<std::int32_t> steps(schedule.shape.stages);
    for (const Op& op : program) {
      if (op.kind == OpKind::kStep) {
        std::int32_t& count = steps[op.stage];
        most[op.stage] = std::max(most[op.stage], ++count);
      }
    }
  }
  return most;
}

}  // namespace

Result<Schedule> Repeat(const Schedule& schedule, std::int32_t times) {
  std::int64_t ops = schedule.shape.microbatches;
  for (const Program& program : schedule.programs) {
    ops += static_cast<std::int64_t>(program.size());
  }
  if (times < 1 || ops > kMostOps / times) {
    Diagnostic fault;
    fault.message = fmt::format(
        "{} repetitions of a schedule with {} ops and micro-batches; expected at least 1, and at "
        "most {} of these in all",
        times, ops, kMostOps);
    return {std::nullopt, {std::move(fault)}};
  }

  const Table<std::int32_t> steps = StepsOfStages(schedule);
  Schedule repeated = schedule;
  repeated.shape.microbatches *= times;

  for (Program& program : repeated.programs) {
    const Program once = program;
    program.reserve(std::int64_t{once.Count()} * times);
    for (std::int32_t round = 1; round < times; ++round) {
      for (Op op : once) {
        const OpTraits& traits = TraitsOf(op.kind);
        op.microbatch += traits.has_microbatch ? round * schedule.shape.microbatches : 0;
        op.version += traits.has_version ? round * steps[op.stage] : 0;
        program.push_back(op);
      }
    }
  }
  return {std::move(repeated), {}};
}

}  // namespace stagecraft
