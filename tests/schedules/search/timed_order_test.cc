#include "schedules/search/timed_order.h"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/generator.h"
#include "schedules/generators.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "tests/support/auto_problems.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::EqualProblem;

Table<Program> WithoutSteps(const Schedule& schedule) {
  Table<Program> programs = schedule.programs;
  for (Program& program : programs) {
    std::erase_if(program, [](const Op& op) { return op.kind == OpKind::kStep; });
  }
  return programs;
}

TEST(TimeOrder, GivesWindowsAndMakespan) {
  const AutoProblem problem = EqualProblem(StraightPlacement(3), 6, {1, 1, 1, 0, 1, 0}, 5);
  const auto order =
      TimeOrder(problem, WithoutSteps(test::Make("zb-h2", {.ranks = 3, .microbatches = 6})));
  ASSERT_TRUE(order);
  EXPECT_EQ(order->window, 18);
  EXPECT_EQ(order->makespan, 20);
}

TEST(TimeOrder, RefusesWhatExceedsTheLimitOrCannotRun) {
  const AutoProblem problem = EqualProblem(StraightPlacement(3), 6, {1, 1, 1, 0, 1, 0}, 4);
  EXPECT_FALSE(
      TimeOrder(problem, WithoutSteps(test::Make("zb-h2", {.ranks = 3, .microbatches = 6}))));
  Table<Program> programs = WithoutSteps(test::Make("zb-h1", {.ranks = 3, .microbatches = 6}));
  ASSERT_TRUE(TimeOrder(problem, programs));
  std::swap(programs[1].front(), programs[1].back());
  EXPECT_FALSE(TimeOrder(problem, programs));
}

}  // namespace
}  // namespace stagecraft
