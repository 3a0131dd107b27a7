#include "sim/walk_plan.h"

#include <cstddef>

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

TEST(PlanWalk, GivesEveryPairOfRanksThatTalkOneChannel) {
  const Schedule lowered = Lower(test::Make("1f1b", {.ranks = 3, .microbatches = 4}));
  const WalkPlan plan = PlanWalk(lowered, FindDependencies(lowered));
  EXPECT_EQ(plan.Ranks(), 3);
  EXPECT_EQ(plan.Lanes(), 3 + 4);
  ASSERT_EQ(plan.transfers.size(), 16U);
  for (std::int32_t i = 0; i < plan.transfers.Count(); ++i) {
    EXPECT_EQ(plan.ChannelOf(i).from, plan.transfers[i].send.rank);
    EXPECT_EQ(plan.ChannelOf(i).to, plan.transfers[i].recv.rank);
  }
}

TEST(PlanWalk, SaysWhatToDoWithEachOp) {
  using Action = OpPlan::Action;
  const Schedule lowered = test::Programs(
      3, {"0: 0F0@0 0B0@0 0F2@0 0B2@0 0A@0 0S@0", "0: (0F1@0;0P@0+1) 0B1@0 0A@0 0S@0"});
  const WalkPlan plan = PlanWalk(lowered, FindDependencies(lowered));
  EXPECT_EQ(plan.programs[0][0].GetAction(), Action::kRun);
  EXPECT_EQ(plan.programs[0][4].GetAction(), Action::kMeet);
  EXPECT_EQ(plan.programs[1][0].GetAction(), Action::kRunCell);
  const Schedule talks = Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 1}));
  const WalkPlan talking = PlanWalk(talks, FindDependencies(talks));
  EXPECT_EQ(talking.programs[0][1].GetAction(), Action::kSend);
  EXPECT_EQ(talking.programs[1][0].GetAction(), Action::kReceive);
  EXPECT_EQ(talking.programs[1][1].transfer, talking.programs[1][0].transfer);
}

}  // namespace
}  // namespace stagecraft
