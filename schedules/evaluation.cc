#include "schedules/evaluation.h"

#include <cstddef>

#include "schedules/tables.h"

namespace stagecraft {

Schedule EvaluationSchedule(const Table<Table<std::int32_t>>& placement, std::int32_t stages,
                            std::int32_t microbatches) {
  Schedule schedule;
  schedule.name = "evaluation";
  schedule.mode = Mode::kForward;
  schedule.shape = {placement.Count(), stages, microbatches};
  schedule.placement = placement;
  schedule.programs.resize(placement.size());

  // The replicas of a stage take turns.
  const Table<Table<std::int32_t>> ranks_of_stage = RanksOfStages(schedule);
  for (std::int32_t microbatch = 0; microbatch < microbatches; ++microbatch) {
    for (std::int32_t stage = 0; stage < stages; ++stage) {
      const Table<std::int32_t>& ranks = ranks_of_stage[stage];
      const std::int32_t rank = ranks[microbatch % ranks.Count()];
      schedule.programs[rank].push_back(
          {.kind = OpKind::kForward, .stage = stage, .microbatch = microbatch});
    }
  }
  return schedule;
}

}  // namespace stagecraft
