#include "sim/events.h"

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

// Agreement with the other engine and the naive twin: tests/property/simulators_agree_test.cc.

namespace stagecraft {
namespace {

TEST(RunEvents, GivesEveryOpAndTransferItsTime) {
  const Schedule lowered = Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 1}));
  const auto timeline = RunEvents(lowered, FindDependencies(lowered),
                                  test::EqualCosts(lowered, 1, 2), {.latency = test::kTick});
  ASSERT_TRUE(timeline);
  ASSERT_EQ(timeline->transfers.size(), 2U);
  EXPECT_EQ(timeline->transfers[0].start, 1 * test::kTick);
  EXPECT_EQ(timeline->transfers[0].arrival, 2 * test::kTick);
  // F 1, hop 1, F and B 3, hop 1, B 2.
  EXPECT_EQ(Makespan(*timeline), 8 * test::kTick);
}

TEST(RunEvents, EndsWithNothingWhereOpsWaitForEachOther) {
  const Schedule lowered = Lower(test::Make("1f1b", {.ranks = 4, .microbatches = 8}),
                                 {ReceivePolicy::Kind::kJustInTime, 0});
  const Costs costs = test::EqualCosts(lowered, 1, 2);
  const Dependencies dependencies = FindDependencies(lowered);
  EXPECT_FALSE(RunEvents(lowered, dependencies, costs, {.send = SendMode::kBlocking}));
  EXPECT_TRUE(RunEvents(lowered, dependencies, costs, {.send = SendMode::kRendezvous}));
}

}  // namespace
}  // namespace stagecraft
