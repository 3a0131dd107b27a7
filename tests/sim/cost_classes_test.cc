#include "sim/cost_classes.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

/// Classes of all ops, rank by rank.
Table<Table<std::uint32_t>> ClassesOf(const Schedule& schedule, CostClasses& classes,
                                      const std::vector<StageSizes>& sizes = {}) {
  ClassFinder finder(schedule, sizes);
  Table<Table<std::uint32_t>> of_ranks(schedule.programs.size());
  for (std::int32_t rank = 0; rank < of_ranks.Count(); ++rank) {
    finder.Assign(rank, of_ranks[rank]);
  }
  classes = finder.Take();
  return of_ranks;
}

TEST(CostClasses, AreFewWhateverTheLength) {
  CostClasses classes;
  const Schedule schedule = Lower(test::Make("1f1b", {.ranks = 4, .microbatches = 100}));
  ClassesOf(schedule, classes);
  // Nothing; F, B and S of each stage; three SEND_F and three SEND_B.
  EXPECT_EQ(classes.classes.size(), 1U + 4 * 3 + 3 + 3);
}

TEST(CostClasses, GiveEveryOpItsDuration) {
  CostClasses classes;
  const Schedule schedule = Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2}));
  const auto of_ranks = ClassesOf(schedule, classes);
  Costs costs = test::EqualCosts(schedule, 1, 2);
  costs.stages[0].sizes.output_bytes = 5'000'000;
  const Topology topology{.latency = test::kTick, .bandwidth = 1e9, .speed = {1, 0.5}};
  const std::vector<ClassCost> cost = CostsOfClasses(classes, costs, topology);
  const std::vector<std::int64_t> bytes = BytesOfClasses(classes, costs);
  for (std::size_t rank = 0; rank < 2; ++rank) {
    for (std::size_t i = 0; i < of_ranks[rank].size(); ++i) {
      const Op& op = schedule.programs[rank][i];
      const ClassCost& of_op = cost[of_ranks[rank][i]];
      const std::int64_t slow = rank == 0 ? 1 : 2;
      const std::int64_t ticks = op.kind == OpKind::kForward    ? slow
                                 : op.kind == OpKind::kBackward ? 2 * slow
                                 : TraitsOf(op.kind).is_send    ? 5
                                                                : 0;
      EXPECT_EQ(of_op.hold, ticks * test::kTick.count()) << ToString(op);
      EXPECT_EQ(of_op.flight, TraitsOf(op.kind).is_send ? test::kTick.count() : 0);
      EXPECT_EQ(bytes[of_ranks[rank][i]], TraitsOf(op.kind).is_send ? 5'000'000 : 0);
    }
  }
}

TEST(CostClasses, OfACellAreAtItsLastOp) {
  CostClasses classes;
  const Schedule schedule = test::Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0"});
  const auto of_ranks = ClassesOf(schedule, classes);
  const std::vector<ClassCost> cost = CostsOfClasses(classes, test::EqualCosts(schedule, 1, 2), {});
  EXPECT_EQ(of_ranks[0][1], kNoCost);
  EXPECT_EQ(cost[of_ranks[0][2]].hold, 3 * test::kTick.count());
}

TEST(CostClasses, KnowWhatOpsDoToMemory) {
  CostClasses classes;
  const Schedule schedule = Lower(test::Make("gpipe", {.ranks = 2, .microbatches = 2}));
  std::vector<StageSizes> sizes(2);
  for (StageSizes& size : sizes) {
    size.activation_bytes = 100;
    size.output_bytes = 10;
    size.parameter_bytes = 1000;
    size.optimizer_bytes = 2000;
  }
  const auto of_ranks = ClassesOf(schedule, classes, sizes);
  EXPECT_EQ(classes.static_bytes, (std::vector<std::int64_t>{3000, 3000}));
  for (std::size_t rank = 0; rank < 2; ++rank) {
    std::int64_t level = classes.static_bytes[rank];
    std::int64_t peak = level;
    for (const std::uint32_t index : of_ranks[rank]) {
      level += classes.classes[index].take;
      peak = std::max(peak, level);
      level += classes.classes[index].give;
    }
    EXPECT_EQ(level, 3000);
    EXPECT_EQ(peak, PeakMemory(schedule, sizes)[rank].peak_bytes);
  }
}

}  // namespace
}  // namespace stagecraft
