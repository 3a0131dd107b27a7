#include "engine/training_plan.h"

#include <utility>

#include "schedules/evaluation.h"
#include "schedules/lower.h"

namespace stagecraft {

std::vector<std::int64_t> TrainingPlan::MicrobatchesBeforePauses() const {
  std::vector<std::int64_t> before;
  for (std::int32_t round = 0; round < rounds; ++round) {
    const std::int64_t earlier = std::int64_t{training.schedule.shape.microbatches} * round;
    for (const Drain& pause : pauses) {
      if (PausesBehind(round) || &pause != &pauses.back()) {
        before.push_back(earlier + pause.microbatches);
      }
    }
  }
  return before;
}

TrainingPlan PlanTraining(const Schedule& lowered, std::int32_t every,
                          std::int32_t evaluation_microbatches,
                          std::optional<MicrobatchRange> range) {
  Window window =
      CutWindow(lowered, range.value_or(MicrobatchRange{0, lowered.shape.microbatches}));
  TrainingPlan plan;
  plan.begin = std::move(window.begin);
  plan.end = std::move(window.end);

  // A run pauses at its end, and before that at the drains that were asked for.
  for (Drain& drain : FindDrains(window.schedule)) {
    const bool is_end = drain.microbatches == window.schedule.shape.microbatches;
    if (is_end || (every > 0 && drain.microbatches % every == 0)) {
      plan.pauses.push_back(std::move(drain));
    }
  }

  if (evaluation_microbatches > 0) {
    plan.evaluation = PlanExecution(Lower(
        EvaluationSchedule(lowered.placement, lowered.shape.stages, evaluation_microbatches)));
  }
  plan.training = PlanExecution(std::move(window.schedule), std::move(window.slots));
  return plan;
}

}  // namespace stagecraft
