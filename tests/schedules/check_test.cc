#include "schedules/check.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(CheckDeathTest, PrintsExpressionPlaceAndMessageAndAborts) {
  EXPECT_DEATH(STAGECRAFT_CHECK(1 + 1 == 3, "arithmetic still works"),
               "check_test.cc:[0-9]+: check failed: 1 \\+ 1 == 3: arithmetic still works");
}

TEST(Check, EvaluatesItsConditionOnceAndGoesOn) {
  int calls = 0;
  STAGECRAFT_CHECK(++calls == 1, "once");
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace stagecraft
