#include <algorithm>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "schedules/diagram.h"
#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Reads;

/// Checks every read against max(0, floor(q / T) - 1); gives their number.
int ExpectReads(const Schedule& schedule, std::int32_t every) {
  int reads = 0;
  for (const Program& program : schedule.programs) {
    for (const Op& op : program) {
      if (TraitsOf(op.kind).reads_weights) {
        EXPECT_EQ(op.version, std::max(0, op.microbatch / every - 1)) << ToString(op);
        EXPECT_EQ(op.horizon, 0);
        ++reads;
      }
    }
  }
  return reads;
}

TEST(PipeDream2BW, EveryReadOfMicrobatchQIsOfTheVersionBeforeItsBatch) {
  // Forward and backward, on every stage, also after drains.
  int reads = 0;
  for (std::int32_t ranks = 1; ranks <= 5; ++ranks) {
    for (const std::int32_t every : {1, 2, 3, 4, 6, 8}) {
      for (const std::int32_t drain : {0, 24}) {
        reads += ExpectReads(
            Make("pipedream-2bw",
                 {.ranks = ranks, .microbatches = 48, .update_every = every, .drain_every = drain}),
            every);
      }
    }
  }
  const std::string first =
      Reads(Make("pipedream-2bw", {.ranks = 4, .microbatches = 16}), 0, OpKind::kForward);
  std::cout << reads << " reads; D = T = 4: " << first << '\n';
  EXPECT_EQ(first, "0 0 0 0 0 0 0 0 1 1 1 1 2 2 2 2");
}

TEST(PipeDream2BW, UpdatesEveryRanksMicrobatchesByDefault) {
  EXPECT_EQ(Make("pipedream-2bw", {.ranks = 3, .microbatches = 9}),
            Make("pipedream-2bw", {.ranks = 3, .microbatches = 9, .update_every = 3}));
}

TEST(PipeDream2BW, TheFirstUpdateMissesNothingAndEveryOtherOne) {
  const Schedule schedule = Make("pipedream-2bw", {.ranks = 4, .microbatches = 16});
  for (const StageStaleness& stage : FindStaleness(schedule)) {
    EXPECT_EQ(stage.histogram, (std::map<std::int32_t, std::int64_t>{{0, 4}, {1, 12}}));
  }
}

TEST(PipeDream2BW, FewerMicrobatchesPerUpdateThanRanksShortenTheWarmUp) {
  const Schedule schedule =
      Make("pipedream-2bw", {.ranks = 4, .microbatches = 8, .update_every = 2});
  EXPECT_EQ(test::List(PeakActivationSets(schedule)), "3,3,2,1");
  // The pipeline is not full: rank 0 waits for every backward, also in the steady state.
  EXPECT_NE(RenderSchedule(schedule).find("F2 .  .  .  .  .  .  .  B0--- F3 .  .  .  B1---"),
            std::string::npos)
      << RenderSchedule(schedule);
}

}  // namespace
}  // namespace stagecraft
