#include "sim/textbook_estimate.h"

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

using test::EqualCosts;
using test::kTick;
using test::Make;

TEST(EstimateByTextbook, IsTheFormulaPerFlush) {
  const Schedule schedule = Make("gpipe", {.ranks = 4, .microbatches = 8, .batches = 3});
  const auto estimate = EstimateByTextbook(schedule, EqualCosts(schedule, 1, 2), {});
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->microbatches, 8);
  EXPECT_EQ(estimate->batches, 3);
  EXPECT_EQ(estimate->slowest, 3 * kTick);
  EXPECT_EQ(estimate->makespan, 3 * 11 * 3 * kTick);  // 3 (8 + 4 - 1) (1 + 2)
  EXPECT_DOUBLE_EQ(estimate->bubble, 3.0 / 11);
}

TEST(EstimateByTextbook, CountsAPipelineThatNeverEmptiesAsOneBatch) {
  const Schedule schedule = Make("pipedream", {.ranks = 4, .microbatches = 8, .batches = 3});
  const auto estimate = EstimateByTextbook(schedule, EqualCosts(schedule, 1, 2), {});
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->makespan, 27 * 3 * kTick);  // (24 + 4 - 1) (1 + 2)
}

// The schedule has no B: what one would take says nothing. Rank 1 at half speed takes
// (1 + 3 + 4) / 0.5 for each of its two stages.
TEST(EstimateByTextbook, AddsUpTheKindsThatTheScheduleHas) {
  const Schedule schedule = Make("zb-v", {.ranks = 2, .microbatches = 4});
  Costs costs = EqualCosts(schedule, 1, 0);
  for (StageCosts& stage : costs.stages) {
    stage.backward_input = 3 * kTick;
    stage.backward_weight = 4 * kTick;
  }
  const auto estimate = EstimateByTextbook(schedule, costs, {.speed = {1, 0.5}});
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->slowest, 32 * kTick);
}

TEST(EstimateByTextbook, KnowsNoReplicas) {
  const Schedule schedule = Make("chimera", {.ranks = 2, .microbatches = 4});
  EXPECT_FALSE(EstimateByTextbook(schedule, EqualCosts(schedule, 1, 2), {}));
}

}  // namespace
}  // namespace stagecraft
