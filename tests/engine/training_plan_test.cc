#include "engine/training_plan.h"

#include <vector>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

TEST(TrainingPlan, PausesOnlyAtMultiplesAndTheEnd) {
  const TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2, .batches = 5})), 4, 0);
  std::vector<std::int32_t> pauses;
  for (const Drain& pause : plan.pauses) {
    pauses.push_back(pause.microbatches);
  }
  EXPECT_EQ(pauses, (std::vector<std::int32_t>{4, 8, 10}));
}

TEST(TrainingPlan, ARepeatedScheduleMayPauseAfterSeveralRounds) {
  TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2, .batches = 2})), 2, 0);
  plan.rounds = 3;
  EXPECT_EQ(plan.MicrobatchesBeforePauses(), (std::vector<std::int64_t>{2, 4, 6, 8, 10, 12}));
  plan.rounds_per_pause = 2;  // No pause at the end of the first round; one at that of the last.
  EXPECT_EQ(plan.MicrobatchesBeforePauses(), (std::vector<std::int64_t>{2, 6, 8, 10, 12}));
}

}  // namespace
}  // namespace stagecraft
