#include "sim/metrics.h"

#include <cstdint>
#include <iostream>

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

using test::EqualCosts;
using test::kTick;
using test::Make;
using test::SimulateLowered;
using test::SimulateWith;

TEST(Measure, BubbleOfGPipeAndOneFOneBIsTheClosedForm) {
  for (const char* name : {"gpipe", "1f1b"}) {
    for (std::int32_t p = 1; p <= 8; ++p) {
      for (std::int32_t m = 1; m <= 16; ++m) {
        const Schedule schedule = Make(name, {.ranks = p, .microbatches = m});
        const Metrics metrics = SimulateWith(schedule, EqualCosts(schedule, 1, 2)).Measured();
        EXPECT_EQ(metrics.makespan, (m + p - 1) * 3 * kTick) << name << " " << p << " " << m;
        EXPECT_NEAR(metrics.bubble, (p - 1.0) / (m + p - 1.0), 1e-12)
            << name << " " << p << " " << m;
      }
    }
  }
}

// Rank 0 waits for its gradient while F1 runs on rank 1:
//
//   rank 0 | F0 F1 .  .  .  .  B0--- .  B1---      F 1, B 2, hop 0.5: in half ticks below
//   rank 1 | .  F0 B0--- F1 B1---
TEST(Measure, DividesIdleTimeByItsCause) {
  const Schedule schedule = Make("1f1b", {.ranks = 2, .microbatches = 2});
  const Metrics metrics =
      SimulateWith(schedule, EqualCosts(schedule, 1, 2), {.latency = kTick / 2}).Measured();
  // Rank 1: F0 at 1.5, B0 2.5 to 4.5, F1 to 5.5, B1 to 7.5. Rank 0: F0, F1 to 2, B0 5 to 7, B1 8 to
  // 10: two waits, each with the last half tick for a transfer.
  ASSERT_EQ(metrics.makespan, 10 * kTick);
  EXPECT_EQ(metrics.ranks[0].busy, 6 * kTick);
  EXPECT_EQ(metrics.ranks[0].idle, (IdleTime{.warm_up = Nanoseconds(0),
                                             .transfer = 1 * kTick,
                                             .dependency = 3 * kTick,
                                             .cool_down = Nanoseconds(0)}));
  EXPECT_EQ(metrics.ranks[1].idle, (IdleTime{.warm_up = 3 * kTick / 2,
                                             .transfer = Nanoseconds(0),
                                             .dependency = Nanoseconds(0),
                                             .cool_down = 5 * kTick / 2}));
  EXPECT_DOUBLE_EQ(metrics.ranks[0].bubble, 0.4);
  EXPECT_DOUBLE_EQ(metrics.ranks[1].window_bubble, 0);
  EXPECT_DOUBLE_EQ(metrics.window_bubble, 0.4);
  EXPECT_DOUBLE_EQ(metrics.bubble, 0.4);
}

TEST(Measure, WindowsAreNotStretchedByOpsOfZeroLength) {
  const Schedule schedule = Make("1f1b", {.ranks = 4, .microbatches = 8});
  Costs costs = EqualCosts(schedule, 1, 2);
  const double without_step = SimulateWith(schedule, costs).Measured().ranks[3].window_bubble;
  EXPECT_DOUBLE_EQ(without_step, 0);  // The last rank never waits between its first F and last B.
}

TEST(Measure, ThroughputCountsSamplesOverTheWholeRun) {
  const Schedule schedule = Make("sequential", {.ranks = 1, .microbatches = 4});
  Costs costs = EqualCosts(schedule, 1, 2);
  costs.microbatch_size = 16;
  const Metrics metrics = SimulateWith(schedule, costs).Measured();
  EXPECT_NEAR(metrics.samples_per_second, 4 * 16 / 0.012, 1e-6);
}

TEST(Measure, AsynchronousSchedulesReachThePeriodOfTheSlowestRank) {
  const Schedule schedule = Make("pipedream", {.ranks = 4, .microbatches = 32});
  Costs costs = EqualCosts(schedule, 1, 2);
  costs.stages[2].forward = 2 * kTick;
  const Metrics metrics = SimulateWith(schedule, costs).Measured();
  ASSERT_TRUE(metrics.cycle_ns);
  EXPECT_DOUBLE_EQ(*metrics.cycle_ns, 4e6);
}

TEST(Measure, NamesTheOpAtThePeakOfEachRank) {
  const Schedule schedule = Make("gpipe", {.ranks = 2, .microbatches = 3});
  Costs costs = EqualCosts(schedule, 1, 2);
  for (StageCosts& stage : costs.stages) {
    stage.sizes.activation_bytes = 100;
    stage.sizes.output_bytes = 10;
    stage.sizes.parameter_bytes = 1000;
    stage.sizes.optimizer_bytes = 2000;
  }
  const test::Run run = SimulateWith(schedule, costs);
  const Metrics metrics = run.Measured();
  // Rank 1: weights and state 3000, three activation sets; each input is given back when its F
  // starts, and F2 takes the third set.
  EXPECT_EQ(metrics.ranks[1].peak_bytes, 3300);
  EXPECT_EQ(ToString(run.schedule.At(metrics.ranks[1].peak_op)), "1F2@0");
  // Rank 0: three sets, and the first gradient arrives in a buffer of 10.
  EXPECT_EQ(metrics.ranks[0].peak_bytes, 3310);
  EXPECT_EQ(ToString(run.schedule.At(metrics.ranks[0].peak_op)), "0RECV_B0");
}

TEST(Measure, TakesStalenessCopiesAndSetsFromTheSchedule) {
  const Schedule schedule = Make("pipedream", {.ranks = 3, .microbatches = 6});
  const Metrics metrics = SimulateWith(schedule, EqualCosts(schedule, 1, 2)).Measured();
  ASSERT_EQ(metrics.stages.size(), 3U);
  for (std::int32_t stage = 0; stage < 3; ++stage) {
    const StageMetrics& of_stage = metrics.stages[static_cast<std::size_t>(stage)];
    EXPECT_EQ(of_stage.stage, stage);
    EXPECT_EQ(of_stage.staleness_steady, 2 - stage);
    EXPECT_EQ(of_stage.staleness_max, 2 - stage);
    EXPECT_EQ(of_stage.weight_slots, 3 - stage);
    EXPECT_EQ(of_stage.activation_sets_peak, 3 - stage);
  }
  EXPECT_EQ(metrics.ops, static_cast<std::int64_t>(2 * 3 * 6 + 3 * 6 + 2 * 2 * 2 * 6));
}

TEST(Measure, ARankWithoutAnOpOnlyWaits) {
  Schedule schedule = test::Programs(1, {"0: 0F0@0 0B0@0 0S@0"});
  schedule.shape.ranks = 2;
  schedule.placement.emplace_back();
  schedule.programs.emplace_back();
  const Metrics metrics = SimulateLowered(schedule, EqualCosts(schedule, 1, 2)).Measured();
  EXPECT_EQ(metrics.ranks[1].idle.warm_up, 3 * kTick);
  EXPECT_EQ(metrics.ranks[1].peak_op, kNoOp);
  EXPECT_DOUBLE_EQ(metrics.bubble, 0.5);
}

TEST(Measure, NothingTakesTimeAndNothingIsDividedByZero) {
  const Schedule schedule = Make("1f1b", {.ranks = 2, .microbatches = 2});
  const Metrics metrics = SimulateWith(schedule, EqualCosts(schedule, 0, 0)).Measured();
  EXPECT_EQ(metrics.makespan, Nanoseconds(0));
  EXPECT_EQ(metrics.bubble, 0);
  EXPECT_EQ(metrics.window_bubble, 0);
  EXPECT_EQ(metrics.samples_per_second, 0);
  EXPECT_FALSE(metrics.cycle_ns);
}

}  // namespace
}  // namespace stagecraft
