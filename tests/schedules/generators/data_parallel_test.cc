#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::ProgramText;

TEST(DataParallel, DealsOutEachBatchAndReducesBeforeTheStep) {
  const Schedule schedule = Make("data-parallel", {.ranks = 2, .microbatches = 4, .batches = 2});
  EXPECT_EQ(schedule.shape, (Shape{2, 1, 8}));
  EXPECT_EQ(schedule.placement, (Table<Table<std::int32_t>>{{0}, {0}}));
  EXPECT_EQ(ProgramText(schedule, 0),
            "0F0@0 0B0@0 0F2@0 0B2@0 0A@0 0S@0 0F4@1 0B4@1 0F6@1 0B6@1 0A@1 0S@1");
  EXPECT_EQ(ProgramText(schedule, 1),
            "0F1@0 0B1@0 0F3@0 0B3@0 0A@0 0S@0 0F5@1 0B5@1 0F7@1 0B7@1 0A@1 0S@1");
}

TEST(DataParallel, OfOneRankIsPlainTraining) {
  // There is nobody to reduce with: no A.
  EXPECT_EQ(Make("data-parallel", {.ranks = 1, .microbatches = 3, .batches = 2}),
            Make("sequential", {.ranks = 1, .microbatches = 3, .batches = 2}));
}

}  // namespace
}  // namespace stagecraft
