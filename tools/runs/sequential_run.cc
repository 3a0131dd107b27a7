#include "tools/runs/sequential_run.h"

#include <string_view>
#include <utility>

#include "schedules/schedule.h"
#include "tools/command.h"
#include "tools/runs/outliers.h"
#include "tools/runs/training_run.h"
#include "traces/measured_stages.h"

namespace stagecraft {
namespace {

/// Per micro-batch: all P, all F, all B backwards, all S. Predictions look one update ahead, and do
/// not stand right behind the S of their stage, with which they would be one pass.
Schedule OneAfterTheOther(std::int32_t stages, std::int32_t microbatches) {
  Schedule schedule;
  schedule.name = "profile";
  schedule.shape = {1, stages, microbatches};
  schedule.placement.emplace_back();
  Program& program = schedule.programs.emplace_back();
  const bool predicts = stages > 1;
  const std::int16_t ahead = predicts ? 1 : 0;
  for (std::int32_t q = 0; q < microbatches; ++q) {
    for (std::int32_t stage = 0; predicts && stage < stages; ++stage) {
      program.push_back({.kind = OpKind::kPredict, .horizon = ahead, .stage = stage, .version = q});
    }

    for (std::int32_t stage = 0; stage < stages; ++stage) {
      program.push_back({.kind = OpKind::kForward,
                         .horizon = ahead,
                         .stage = stage,
                         .microbatch = q,
                         .version = q});
    }
    // Backwards need the gradient of the stage behind.
    for (std::int32_t stage = stages; stage-- > 0;) {
      program.push_back({.kind = OpKind::kBackward, .stage = stage, .microbatch = q, .version = q});
    }
    for (std::int32_t stage = 0; stage < stages; ++stage) {
      program.push_back({.kind = OpKind::kStep, .stage = stage, .version = q});
    }
  }

  for (std::int32_t stage = 0; stage < stages; ++stage) {
    schedule.placement.front().push_back(stage);
  }
  return schedule;
}

}  // namespace

SequentialRun MeasureSequentially(const TrainingTask& task, std::int32_t microbatches) {
  const auto stages = static_cast<std::int32_t>(task.model.stages.size());
  const TrainingPlan plan = PlanTraining(OneAfterTheOther(stages, microbatches), 0, 0);

  // A process of its own, since one that has used a GPU cannot start any that use it.
  const Workers workers = task.compute.on_gpus ? Workers::kProcesses : Workers::kThreads;
  DivergenceWatch watch(plan, {});
  const TrainingOutcome outcome =
      RunTraining(task, plan,
                  {.workers = workers,
                   .record = true,
                   .on_report = [&](const TrainingReport& report, std::string_view) {
                     watch.Take(report);
                     return true;
                   }});

  if (outcome.stopped) {
    throw CommandFailure(ExitCode::kFailed, "", "stopped before the end");
  }
  watch.Finish();

  const MicrobatchRange measured{microbatches / 4, microbatches};
  const Schedule& schedule = plan.training.schedule;
  return {MeasureStages(schedule, *outcome.recorded, {measured}), outcome.clocks,
          FindOutliers(schedule, *outcome.recorded, measured), watch.First()};
}

}  // namespace stagecraft
