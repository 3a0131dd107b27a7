#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;

TEST(ModelParallel, NeverHasTwoMicrobatchesInFlight) {
  const Schedule schedule = Make("model-parallel", {.ranks = 3, .microbatches = 2, .batches = 2});
  EXPECT_EQ(schedule.placement, StraightPlacement(3));
  EXPECT_EQ(test::ProgramText(schedule, 0),
            "0F0@0 0B0@0 0F1@0 0B1@0 0S@0 0F2@1 0B2@1 0F3@1 0B3@1 0S@1");
  EXPECT_EQ(test::ProgramText(schedule, 2),
            "2F0@0 2B0@0 2F1@0 2B1@0 2S@0 2F2@1 2B2@1 2F3@1 2B3@1 2S@1");
}

}  // namespace
}  // namespace stagecraft
