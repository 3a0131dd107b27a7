#include "schedules/search/activation_limit.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(SetsOf, CountsSetsOrTimesTheRanks) {
  using Unit = ActivationLimit::Unit;
  EXPECT_EQ(SetsOf({12, Unit::kSets}, 8), 12);
  EXPECT_EQ(SetsOf({2, Unit::kTimesRanks}, 8), 16);
  EXPECT_EQ(SetsOf({1.3, Unit::kTimesRanks}, 8), 10);
  EXPECT_EQ(SetsOf({0.01, Unit::kTimesRanks}, 8), 1);
  EXPECT_EQ(SetsOf({1e30, Unit::kSets}, 8), 2147483647);
}

}  // namespace
}  // namespace stagecraft
