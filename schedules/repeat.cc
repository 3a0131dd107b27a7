#include "schedules/repeat.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace stagecraft {
namespace {

constexpr std::int64_t kMostOps = std::int64_t{1} << 27;  ///< 2 GB of them.

/// Optimizer steps of each stage, on a rank that holds it.
std::vector<std::int32_t> StepsOfStages(const Schedule& schedule) {
  const auto stages = static_cast<std::size_t>(schedule.shape.stages);
  std::vector<std::int32_t> most(stages, 0);
  for (const std::vector<Op>& program : schedule.programs) {
    std::vector<std::int32_t> steps(stages, 0);
    for (const Op& op : program) {
      if (op.kind == OpKind::kStep) {
        std::int32_t& count = steps[static_cast<std::size_t>(op.stage)];
        most[static_cast<std::size_t>(op.stage)] =
            std::max(most[static_cast<std::size_t>(op.stage)], ++count);
      }
    }
  }
  return most;
}

}  // namespace

Result<Schedule> Repeat(const Schedule& schedule, std::int32_t times) {
  std::int64_t ops = schedule.shape.microbatches;
  for (const std::vector<Op>& program : schedule.programs) {
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

  const std::vector<std::int32_t> steps = StepsOfStages(schedule);
  Schedule repeated = schedule;
  repeated.shape.microbatches *= times;
  for (std::vector<Op>& program : repeated.programs) {
    const std::vector<Op> once = program;
    program.reserve(once.size() * static_cast<std::size_t>(times));
    for (std::int32_t round = 1; round < times; ++round) {
      for (Op op : once) {
        const OpTraits& traits = TraitsOf(op.kind);
        op.microbatch += traits.has_microbatch ? round * schedule.shape.microbatches : 0;
        op.version += traits.has_version ? round * steps[static_cast<std::size_t>(op.stage)] : 0;
        program.push_back(op);
      }
    }
  }
  return {std::move(repeated), {}};
}

}  // namespace stagecraft
