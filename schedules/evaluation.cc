#include "schedules/evaluation.h"

#include <cstddef>

namespace stagecraft {

Schedule EvaluationSchedule(const std::vector<std::vector<std::int32_t>>& placement,
                            std::int32_t stages, std::int32_t microbatches) {
  Schedule schedule;
  schedule.name = "evaluation";
  schedule.mode = Mode::kForward;
  schedule.shape = {static_cast<std::int32_t>(placement.size()), stages, microbatches};
  schedule.placement = placement;
  schedule.programs.resize(placement.size());

  // Replicas of a stage take turns.
  const std::vector<std::vector<std::int32_t>> ranks_of_stage = RanksOfStages(schedule);
  for (std::int32_t microbatch = 0; microbatch < microbatches; ++microbatch) {
    for (std::int32_t stage = 0; stage < stages; ++stage) {
      const std::vector<std::int32_t>& ranks = ranks_of_stage[static_cast<std::size_t>(stage)];
      const std::int32_t rank = ranks[static_cast<std::size_t>(microbatch) % ranks.size()];
      schedule.programs[static_cast<std::size_t>(rank)].push_back(
          {.kind = OpKind::kForward, .stage = stage, .microbatch = microbatch});
    }
  }
  return schedule;
}

}  // namespace stagecraft
