#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "schedules/staleness.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Reads;

TEST(PipelinedBackprop, RunsTwiceTheDistanceAhead) {
  const Schedule schedule = Make("pipelined-backprop", {.ranks = 4, .microbatches = 16});
  std::string staleness;
  for (const StageStaleness& stage : FindStaleness(schedule)) {
    staleness += std::to_string(stage.steady.value()) + " ";
    EXPECT_EQ(stage.nominal_steady, 0);
  }
  const std::string sets = test::List(PeakActivationSets(schedule));
  std::cout << "D = 4: staleness " << staleness << " activation sets " << sets << '\n';
  EXPECT_EQ(staleness, "6 4 2 0 ");
  EXPECT_EQ(sets, "7,5,3,1");
}

TEST(PipelinedBackprop, ForwardsPredictOverTheDelayAndBackwardsReadTheNewest) {
  const Schedule schedule = Make("pipelined-backprop", {.ranks = 3, .microbatches = 7});
  EXPECT_EQ(Reads(schedule, 0, OpKind::kForward), "0 0+1 0+2 0+3 0+4 1+4 2+4");
  EXPECT_EQ(Reads(schedule, 1, OpKind::kForward), "0 0+1 0+2 1+2 2+2 3+2 4+2");
  EXPECT_EQ(Reads(schedule, 2, OpKind::kForward), "0 1 2 3 4 5 6");
  for (const int stage : {0, 1, 2}) {
    EXPECT_EQ(Reads(schedule, stage, OpKind::kBackward), "0 1 2 3 4 5 6");
  }
}

TEST(PipelinedBackprop, TheSteadyRuleCountsUpdates) {
  // ceil(2(D-1-r) / T): for D = 4, T = 4 it is ceil(6/4), ceil(4/4), ceil(2/4), 0.
  const Schedule schedule =
      Make("pipelined-backprop",
           {.ranks = 4, .microbatches = 24, .update_every = 4, .horizon = HorizonRule::kSteady});
  for (int stage = 0; stage < 4; ++stage) {
    const int expected[] = {2, 1, 1, 0};
    for (int q = 0; q < 24; ++q) {
      EXPECT_EQ(schedule.At(test::FindOp(schedule, OpKind::kForward, stage, q)).horizon,
                expected[stage]);
    }
  }
}

TEST(PipelinedBackprop, TheExactRuleHasNominalStalenessZeroAfterADrainToo) {
  const Schedule schedule = Make(
      "pipelined-backprop", {.ranks = 3, .microbatches = 24, .update_every = 2, .drain_every = 12});
  for (const GradientUse& use : GradientUses(schedule)) {
    EXPECT_EQ(use.version + use.horizon, use.step_version) << ToString(schedule.At(use.gradient));
  }
}

}  // namespace
}  // namespace stagecraft
