// Forks, so a program of its own: see processes_test.

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/engine/torch/model_interpreter.h"
#include "tests/engine/torch/small_tasks.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

TEST(Processes, GiveTheBitsOfTheInterpreter) {
  struct Case {
    TrainingTask task;
    TrainingPlan plan;
    test::TrainedModel executed;
    std::string name;
  };
  std::vector<Case> cases;
  for (const test::SmallModel& model : test::SmallModels()) {
    for (const char* name : {"1f1b", "pipedream", "pipeoptim"}) {
      cases.push_back({test::SmallTask(model, 3, test::Momentum()),
                       PlanTraining(Lower(test::Make(name, {.ranks = 3, .microbatches = 8})), 0, 0),
                       {},
                       std::string(name) + ' ' + model.name});
      Case& each = cases.back();
      each.executed = test::ExecuteTraining(each.plan, each.task, true);
    }
  }
  // Only now does this process compute anything: it must not have before it forks.
  for (const Case& each : cases) {
    EXPECT_EQ(test::Difference(each.executed,
                               test::InterpretTraining(each.plan.training.schedule, each.task)),
              "")
        << each.name;
  }
}

}  // namespace
}  // namespace stagecraft
