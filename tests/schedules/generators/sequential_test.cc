#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;

TEST(Sequential, RunsOneMicrobatchAfterTheOtherOnOneRank) {
  const Schedule schedule = Make("sequential", {.ranks = 2, .microbatches = 2, .batches = 2});
  EXPECT_EQ(schedule.shape, (Shape{1, 2, 4}));
  EXPECT_EQ(schedule.placement, (Table<Table<std::int32_t>>{{0, 1}}));
  EXPECT_EQ(test::ProgramText(schedule, 0),
            "0F0@0 1F0@0 1B0@0 0B0@0 0F1@0 1F1@0 1B1@0 0B1@0 0S@0 1S@0 "
            "0F2@1 1F2@1 1B2@1 0B2@1 0F3@1 1F3@1 1B3@1 0B3@1 0S@1 1S@1");
}

}  // namespace
}  // namespace stagecraft
