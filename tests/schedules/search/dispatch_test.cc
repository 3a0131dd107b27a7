#include "schedules/search/dispatch.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/auto_problems.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::EqualProblem;

std::string ProgramOf(const AutoOrder& order, std::size_t rank) {
  std::string text;
  for (const Op& op : order.programs[rank]) {
    text += ToString(op) + " ";
  }
  return text;
}

TEST(Dispatch, RunsABackwardElseAForwardElseAWeightPass) {
  const AutoProblem problem = EqualProblem(StraightPlacement(2), 3, {1, 1, 1, 0, 1, 0}, 2);
  const AutoOrder order = *Dispatch(problem, {RouteOf(problem)}, {.fill = 1});
  // Two sets fit: the third forward waits for the first W.
  EXPECT_EQ(ProgramOf(order, 0), "0F0@0 0F1@0 0I0@0 0W0@0 0I1@0 0F2@0 0W1@0 0I2@0 0W2@0 ");
  EXPECT_EQ(ProgramOf(order, 1), "1F0@0 1I0@0 1F1@0 1I1@0 1W0@0 1W1@0 1F2@0 1I2@0 1W2@0 ");
  EXPECT_EQ(order.makespan, 11);
  EXPECT_EQ(order.window, 11);
}

TEST(Dispatch, LeavesAGapThatAWeightPassFillsTooLittle) {
  // Rank 0 has 0W0 to fill the 1 until the second gradient, already on its way, and it takes 4.
  AutoProblem problem = EqualProblem(StraightPlacement(2), 2, {1, 1, 4, 2, 1, 0}, 4);
  const auto second = [&](double fill) {
    const AutoOrder order = *Dispatch(problem, {RouteOf(problem)}, {.fill = fill});
    return ProgramOf(order, 0);
  };
  EXPECT_EQ(second(0), "0F0@0 0F1@0 0I0@0 0W0@0 0I1@0 0W1@0 ");
  EXPECT_EQ(second(1), "0F0@0 0F1@0 0I0@0 0I1@0 0W0@0 0W1@0 ");
}

TEST(Dispatch, MicrobatchesTakeTheirRoutes) {
  AutoProblem problem = EqualProblem(StraightPlacement(2), 2, {}, 2);
  const AutoOrder order =
      *Dispatch(problem, {{0, 1}, {1, 0}}, {.split = false, .most_in_flight = 1});
  EXPECT_EQ(ProgramOf(order, 0), "0F0@0 0B0@0 1F1@0 1B1@0 ");
  EXPECT_EQ(ProgramOf(order, 1), "1F0@0 1B0@0 0F1@0 0B1@0 ");
}

TEST(Dispatch, NothingIfAMicrobatchDoesNotFit) {
  AutoProblem problem = EqualProblem(StraightPlacement(2), 2, {1, 1, 1, 0, 4, 0}, 1);
  problem.limits[1] = 3;
  EXPECT_FALSE(Dispatch(problem, {RouteOf(problem)}, {}));
}

}  // namespace
}  // namespace stagecraft
