#include "sim/replay.h"

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

using test::kTick;

TEST(Replay, RunsOneOrderUnderManyCosts) {
  const Schedule lowered = Lower(test::Make("1f1b", {.ranks = 4, .microbatches = 8}));
  const auto compiled = Compile(lowered, FindDependencies(lowered), SendMode::kEager);
  ASSERT_TRUE(compiled);
  ReplayState state;
  for (std::int64_t forward = 0; forward < 4; ++forward) {
    const Costs costs = test::EqualCosts(lowered, forward, 2);
    Replay(*compiled, costs, {}, state);
    EXPECT_EQ(state.makespan, (8 + 4 - 1) * (forward + 2) * kTick);
    EXPECT_EQ(state.ranks[0].busy, 8 * (forward + 2) * kTick);
    EXPECT_EQ(state.makespan, Makespan(ReplayTimeline(*compiled, costs, {})));
  }
}

TEST(Replay, FollowsMemoryWhereItWasCompiledWithSizes) {
  const Schedule lowered = Lower(test::Make("gpipe", {.ranks = 2, .microbatches = 3}));
  Costs costs = test::EqualCosts(lowered, 1, 2);
  costs.stages[0].sizes.activation_bytes = 100;
  costs.stages[1].sizes.activation_bytes = 70;
  costs.stages[1].sizes.parameter_bytes = 5;
  const Dependencies dependencies = FindDependencies(lowered);
  ReplayState state;
  Replay(*Compile(lowered, dependencies, SendMode::kEager, SizesOf(costs)), costs, {}, state);
  EXPECT_EQ(state.ranks[0].peak_bytes, 300);
  EXPECT_EQ(state.ranks[1].peak_bytes, 215);
  Replay(*Compile(lowered, dependencies, SendMode::kEager), costs, {}, state);
  EXPECT_EQ(state.ranks[0].peak_bytes, 0);
}

}  // namespace
}  // namespace stagecraft
