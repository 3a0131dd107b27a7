#include "sim/textbook_estimate.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "schedules/tables.h"
#include "sim/durations.h"

namespace stagecraft {
namespace {

/// What one micro-batch takes on all stages of `rank`, at its speed.
Nanoseconds TimePerMicrobatch(const Schedule& schedule, const Costs& costs,
                              const Topology& topology, std::int32_t rank) {
  double sum = 0;
  for (const Op& op : schedule.programs[rank]) {
    if (IsCompute(op.kind)) {
      const StageCosts& stage = costs.stages[op.stage];
      sum += static_cast<double>(CostOf(stage, op.kind).count());
    }
  }
  const double speed = topology.SpeedOf(rank);
  return Nanoseconds(std::llround(sum / schedule.shape.microbatches / speed));
}

/// Updates of stage 0 if each waits for its own micro-batches, so that the pipeline empties; else
/// the whole run is one batch.
std::int64_t BatchesOf(const Schedule& schedule) {
  const Table<StageStaleness> staleness = FindStaleness(schedule);
  const bool flushes = std::all_of(staleness.begin(), staleness.end(), [](const StageStaleness& s) {
    return s.max == 0 && !s.histogram.empty();
  });
  if (!flushes) {
    return 1;
  }

  std::int64_t steps = 0;
  for (const Program& program : schedule.programs) {
    steps += std::count_if(program.begin(), program.end(),
                           [](const Op& op) { return op.kind == OpKind::kStep && op.stage == 0; });
  }
  return std::max<std::int64_t>(1, steps);
}

bool HasReplicas(const Schedule& schedule) {
  std::int32_t placed = 0;
  for (const Table<std::int32_t>& stages : schedule.placement) {
    placed += stages.Count();
  }
  return placed != schedule.shape.stages;
}

}  // namespace

std::optional<TextbookEstimate> EstimateByTextbook(const Schedule& schedule, const Costs& costs,
                                                   const Topology& topology) {
  if (HasReplicas(schedule)) {
    return std::nullopt;
  }
  TextbookEstimate estimate;
  estimate.batches = BatchesOf(schedule);
  estimate.microbatches = schedule.shape.microbatches / estimate.batches;
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    estimate.slowest =
        std::max(estimate.slowest, TimePerMicrobatch(schedule, costs, topology, rank));
  }

  const std::int64_t slots = estimate.microbatches + schedule.shape.ranks - 1;
  estimate.makespan = estimate.slowest * (slots * estimate.batches);
  estimate.bubble = static_cast<double>(schedule.shape.ranks - 1) / static_cast<double>(slots);
  return estimate;
}

}  // namespace stagecraft
