#include "schedules/search/bound.h"

#include <cstdint>

#include <gtest/gtest.h>

#include "tests/support/auto_problems.h"

namespace stagecraft {
namespace {

using test::EqualProblem;

TEST(WindowBound, IsTheWorkWhereThereIsRoom) {
  EXPECT_EQ(WindowBound(EqualProblem(StraightPlacement(4), 100, {1, 1, 1, 0, 1, 0}, 8)), 300);
  EXPECT_EQ(WindowBound(EqualProblem(VPlacement(4), 100, {1, 1, 1, 0, 1, 0}, 8)), 600);
}

TEST(WindowBound, KnowsWhatALimitLeavesIdle) {
  // Rank 0 can do nothing but p forwards until the first gradient comes: 2p - 1 - p idle there, and
  // as much at the end.
  const std::int64_t bound =
      WindowBound(EqualProblem(StraightPlacement(4), 100, {1, 1, 1, 0, 1, 0}, 4));
  EXPECT_GE(bound, 302);
  EXPECT_LE(bound, 309);  // That of ZB-H1.
  // One micro-batch at a time: down, up, and its W.
  EXPECT_EQ(WindowBound(EqualProblem(StraightPlacement(4), 10, {1, 1, 1, 0, 1, 0}, 1)), 90);
}

}  // namespace
}  // namespace stagecraft
