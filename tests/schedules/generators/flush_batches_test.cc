#include "schedules/generators/flush_batches.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::ProgramText;

TEST(MakeFlushed, RunsWarmUpPairsCoolDownAndStep) {
  const std::vector<std::int32_t> warmup = {1, 0};
  const Schedule schedule = MakeFlushed({.ranks = 2, .microbatches = 3}, warmup);
  EXPECT_EQ(ProgramText(schedule, 0), "0F0@0 0F1@0 0B0@0 0F2@0 0B1@0 0B2@0 0S@0");
  EXPECT_EQ(ProgramText(schedule, 1), "1F0@0 1B0@0 1F1@0 1B1@0 1F2@0 1B2@0 1S@0");
  EXPECT_EQ(schedule.placement, StraightPlacement(2));
  EXPECT_EQ(schedule.shape, (Shape{2, 2, 3}));
}

TEST(MakeFlushed, ReadsVersionBInBatchB) {
  const std::vector<std::int32_t> warmup = {1};
  EXPECT_EQ(ProgramText(MakeFlushed({.ranks = 1, .microbatches = 2, .batches = 3}, warmup), 0),
            "0F0@0 0F1@0 0B0@0 0B1@0 0S@0 0F2@1 0F3@1 0B2@1 0B3@1 0S@1 0F4@2 0F5@2 0B4@2 0B5@2 "
            "0S@2");
}

TEST(MakeFlushed, AWarmUpIsAtMostABatch) {
  const std::vector<std::int32_t> warmup = {100};
  EXPECT_EQ(ProgramText(MakeFlushed({.ranks = 1, .microbatches = 2}, warmup), 0),
            "0F0@0 0F1@0 0B0@0 0B1@0 0S@0");
}

TEST(MakeFlushed, RecomputesBeforeTheBackward) {
  const std::vector<std::int32_t> warmup = {2};
  const GeneratorOptions options{.ranks = 1, .microbatches = 2, .batches = 2};
  EXPECT_EQ(ProgramText(MakeFlushed(options, warmup, Checkpoint::kAll), 0),
            "0F0@0 0F1@0 0R0@0 0B0@0 0R1@0 0B1@0 0S@0 0F2@1 0F3@1 0R2@1 0B2@1 0R3@1 0B3@1 0S@1");
  // The last micro-batch of each batch keeps its set.
  EXPECT_EQ(ProgramText(MakeFlushed(options, warmup, Checkpoint::kExceptLast), 0),
            "0F0@0 0F1@0 0R0@0 0B0@0 0B1@0 0S@0 0F2@1 0F3@1 0R2@1 0B2@1 0B3@1 0S@1");
}

}  // namespace
}  // namespace stagecraft
