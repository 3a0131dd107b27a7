#include "schedules/search/rounds.h"

#include <optional>

#include <gtest/gtest.h>

#include "schedules/search/timed_order.h"
#include "tests/support/auto_problems.h"

namespace stagecraft {
namespace {

using test::EqualProblem;

TEST(ScheduleInRounds, ReachesZeroBubbleForEqualCosts) {
  const AutoProblem problem = EqualProblem(VPlacement(4), 12, {1, 1, 1, 0, 1, 0}, 4);
  const std::optional<AutoOrder> order = ScheduleInRounds(problem, {});
  ASSERT_TRUE(order);
  EXPECT_EQ(order->window, 72);
}

TEST(ScheduleInRounds, SaysItselfHowLongItsOrderTakes) {
  test::RandomProblems random(5);
  int found = 0;
  for (int i = 0; i < 300; ++i) {
    const AutoProblem problem = random.Next(5, 12, true);
    const std::optional<AutoOrder> order = ScheduleInRounds(problem, {});
    if (!order) {
      continue;
    }
    ++found;
    const std::optional<AutoOrder> timed = TimeOrder(problem, order->programs);
    ASSERT_TRUE(timed);
    EXPECT_EQ(timed->window, order->window);
    EXPECT_EQ(timed->makespan, order->makespan);
  }
  EXPECT_GT(found, 80);
}

}  // namespace
}  // namespace stagecraft
