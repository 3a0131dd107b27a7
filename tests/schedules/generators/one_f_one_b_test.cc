#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "schedules/diagram.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::List;
using test::Make;
using test::ProgramText;

TEST(OneFOneB, WarmsUpWithTheDistanceToTheLastRank) {
  const Schedule schedule = Make("1f1b", {.ranks = 3, .microbatches = 4});
  EXPECT_EQ(ProgramText(schedule, 0), "0F0@0 0F1@0 0F2@0 0B0@0 0F3@0 0B1@0 0B2@0 0B3@0 0S@0");
  EXPECT_EQ(ProgramText(schedule, 1), "1F0@0 1F1@0 1B0@0 1F2@0 1B1@0 1F3@0 1B2@0 1B3@0 1S@0");
  EXPECT_EQ(ProgramText(schedule, 2), "2F0@0 2B0@0 2F1@0 2B1@0 2F2@0 2B2@0 2F3@0 2B3@0 2S@0");
}

TEST(OneFOneB, LiveActivationsAreAtMostTheDistanceAndTheBatch) {
  for (std::int32_t p = 1; p <= 5; ++p) {
    for (std::int32_t m = 1; m <= 7; ++m) {
      std::vector<std::int32_t> expected(static_cast<std::size_t>(p));
      for (std::int32_t rank = 0; rank < p; ++rank) {
        expected[static_cast<std::size_t>(rank)] = std::min(p - rank, m);
      }
      EXPECT_EQ(PeakActivationSets(Make("1f1b", {.ranks = p, .microbatches = m, .batches = 2})),
                expected);
    }
  }
}

TEST(OneFOneB, TheWarmUpCanBeChosen) {
  // `warmup` is that of rank 0; each rank behind has one less, and no more than 2 per rank behind.
  const auto sets = [](std::int32_t warmup) {
    return List(
        PeakActivationSets(Make("1f1b", {.ranks = 4, .microbatches = 12, .warmup = warmup})));
  };
  EXPECT_EQ(sets(0), "1,1,1,1");
  EXPECT_EQ(sets(1), "2,1,1,1");
  EXPECT_EQ(sets(2), "3,2,1,1");
  EXPECT_EQ(sets(3), "4,3,2,1");
  EXPECT_EQ(sets(4), "5,4,3,1");
  EXPECT_EQ(sets(5), "6,5,3,1");
  EXPECT_EQ(sets(6), "7,5,3,1");
  EXPECT_EQ(Make("1f1b", {.ranks = 4, .microbatches = 12, .warmup = 3}),
            Make("1f1b", {.ranks = 4, .microbatches = 12}));
  EXPECT_EQ(Make("1f1b", {.ranks = 4, .microbatches = 12, .warmup = 0}),
            Make("model-parallel", {.ranks = 4, .microbatches = 12}));
}

TEST(OneFOneB, AShorterWarmUpLeavesBubbles) {
  EXPECT_EQ(RenderSchedule(Make("1f1b", {.ranks = 3, .microbatches = 3, .warmup = 1})),
            "rank 0 | F0 F1 .  .  .  .  .  B0--- F2 .  .  .  B1--- .  .  .  .  B2---\n"
            "rank 1 | .  F0 .  .  .  B0--- F1 .  .  .  B1--- F2 .  .  .  B2--- .  .\n"
            "rank 2 | .  .  F0 B0--- .  .  .  F1 B1--- .  .  .  F2 B2--- .  .  .  .\n");
}

TEST(OneFOneB, FewerMicrobatchesThanRanksShortenTheWarmUp) {
  EXPECT_EQ(ProgramText(Make("1f1b", {.ranks = 4, .microbatches = 2}), 0),
            "0F0@0 0F1@0 0B0@0 0B1@0 0S@0");
}

}  // namespace
}  // namespace stagecraft
