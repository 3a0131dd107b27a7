#include "sim/remedies.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

using test::EqualCosts;
using test::kTick;
using test::Make;
using What = CostItem::What;

std::vector<Remedy> Tried(const Schedule& lowered, const Costs& costs, const Topology& topology) {
  return TryRemedies(lowered, FindDependencies(lowered), costs, topology);
}

std::vector<std::string> Names(const std::vector<Remedy>& remedies) {
  std::vector<std::string> names;
  for (const Remedy& remedy : remedies) {
    names.push_back(ToString(remedy.item));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// 2 ranks, 3 micro-batches. With f and b of stage 0 and F and B of stage 1 the makespan is that of
// the longer of two paths, of 12 ticks each for f = F = 1 and b = B = 2: over rank 1,
// f + 3 (F + B) + b, and twice to rank 1 and back, 2 (f + F + B + b). A tenth off F leaves 11.8 of
// the second, off B 11.6, off f 11.9 of the first, and off b 11.8; rank 1 at speed 1.1 leaves
// 6 + 6 / 1.1 of the second, rank 0 3 / 1.1 + 9 of the first.
TEST(TryRemedies, GivesTheMakespanOfEachFigure) {
  const Schedule lowered = Lower(Make("1f1b", {.ranks = 2, .microbatches = 3}));
  const std::vector<Remedy> remedies = Tried(lowered, EqualCosts(lowered, 1, 2), {});
  std::string text;
  for (const Remedy& remedy : remedies) {
    text += ToString(remedy.item) + " " + std::to_string(remedy.after / (kTick / 100)) + "\n";
  }
  EXPECT_EQ(text,
            "speed of rank 1 1145\n"
            "B of stage 1 1160\n"
            "speed of rank 0 1172\n"
            "F of stage 1 1180\n"
            "B of stage 0 1180\n"
            "F of stage 0 1190\n");
}

TEST(TryRemedies, LeavesOutWhatIsNotThere) {
  const Schedule lowered = Lower(Make("1f1b", {.ranks = 2, .microbatches = 2}));
  Costs costs = EqualCosts(lowered, 1, 0);
  costs.stages[0].recompute = 5 * kTick;  // No R in the schedule.
  costs.stages[1].forward = Nanoseconds(0);
  costs.stages[1].step = 1 * kTick;
  using Strings = std::vector<std::string>;
  const Strings ops{"F of stage 0", "S of stage 1", "speed of rank 0", "speed of rank 1"};
  EXPECT_EQ(Names(Tried(lowered, costs, {})), ops);
  EXPECT_EQ(Names(Tried(lowered, costs, {.bandwidth = 1e9})), ops);  // Nothing to carry.

  costs.stages[0].sizes.output_bytes = 1000;
  EXPECT_EQ(Names(Tried(lowered, costs, {})), ops);  // Unlimited bandwidth.
  Strings all{"F of stage 0", "S of stage 1",    "bandwidth",
              "latency",      "speed of rank 0", "speed of rank 1"};
  EXPECT_EQ(Names(Tried(lowered, costs, {.latency = kTick, .bandwidth = 1e9})), all);
}

// Where a cell has a cost, those of its members don't count in it.
TEST(TryRemedies, TriesCellsThatHaveACost) {
  const Schedule schedule = test::Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0"});
  Costs costs = EqualCosts(schedule, 1, 2);
  costs.stages[0].joined = 10 * kTick;
  const std::vector<Remedy> remedies = Tried(schedule, costs, {});  // 1 + 10 + 2 = 13 ticks
  ASSERT_EQ(remedies.size(), 4U);
  EXPECT_EQ(ToString(remedies[1].item), "cell of stage 0");
  EXPECT_EQ(remedies[1].after, 12 * kTick);
  EXPECT_EQ(ToString(remedies[2].item), "B of stage 0");
  EXPECT_EQ(remedies[2].after, 13 * kTick - kTick / 5);  // One B only: the other is in the cell.
}

// Stage 0 on two ranks: its all-reduce is one cost, and every member's speed counts.
TEST(TryRemedies, TriesAllReduces) {
  const Schedule schedule =
      test::Programs(2, {"0: 0F0@0 0B0@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0A@0 0S@0"});
  Costs costs = EqualCosts(schedule, 0, 0);
  costs.stages[0].allreduce = 10 * kTick;
  EXPECT_EQ(Names(Tried(schedule, costs, {})),
            (std::vector<std::string>{"A of stage 0", "speed of rank 0", "speed of rank 1"}));
  EXPECT_EQ(Tried(schedule, costs, {}).front().after, 9 * kTick);
}

TEST(MakeTenthBetter, RoundsToTheNearestNanosecond) {
  Costs costs;
  costs.stages.resize(1);
  Topology topology{.latency = Nanoseconds(14), .bandwidth = 100};
  costs.stages[0].forward = Nanoseconds(5'565'000);
  MakeTenthBetter({What::kOp, OpKind::kForward, 0}, costs, topology);
  EXPECT_EQ(costs.stages[0].forward.count(), 5'008'500);
  MakeTenthBetter({.what = What::kLatency}, costs, topology);
  EXPECT_EQ(topology.latency.count(), 13);  // 12.6
  MakeTenthBetter({.what = What::kBandwidth}, costs, topology);
  EXPECT_DOUBLE_EQ(topology.bandwidth, 110);
  MakeTenthBetter({.what = What::kSpeed, .index = 1}, costs, topology);
  EXPECT_EQ(topology.speed, (std::vector<double>{1, 1.1}));
}

}  // namespace
}  // namespace stagecraft
