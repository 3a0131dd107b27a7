#include "tools/cost_source.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "schedules/text.h"

namespace stagecraft {
namespace {

using namespace std::chrono_literals;

enum Flag : std::size_t { kF, kB, kI, kW, kR, kS };

/// One stage, one micro-batch, its backward split.
Schedule SplitSchedule() {
  return OrThrow(
      Parse("stagecraft schedule 1\n"
            "shape ranks 1 stages 1 microbatches 1\n"
            "place 0: 0\n"
            "rank 0 0F0@0 0I0@0 0W0@0 0S@0\n",
            "split"));
}

Schedule WholeSchedule() {
  return OrThrow(
      Parse("stagecraft schedule 1\n"
            "shape ranks 1 stages 1 microbatches 1\n"
            "place 0: 0\n"
            "rank 0 0F0@0 0B0@0 0S@0\n",
            "whole"));
}

Costs CostsOf(const InlineCosts& given, const Schedule& schedule, std::int32_t factor = 1) {
  return CostSource(given, std::nullopt, 2).For(schedule, factor);
}

TEST(CostSource, HalvesABackwardThatHasNoSplit) {
  InlineCosts given;
  given.durations[kB] = {5ns};
  const Costs costs = CostsOf(given, SplitSchedule());
  EXPECT_EQ(costs.stages[0].backward_input, 2ns);
  EXPECT_EQ(costs.stages[0].backward_weight, 3ns);
  EXPECT_EQ(costs.derived,
            (std::vector<std::string>{
                "backward_input and backward_weight: half of --backward each, since neither is "
                "given"}));
  EXPECT_TRUE(CostsOf(given, WholeSchedule()).derived.empty());
}

TEST(CostSource, TakesWhatTheOtherHalfLeaves) {
  InlineCosts given;
  given.durations[kB] = {5ns};
  given.durations[kI] = {1ns};
  const Costs costs = CostsOf(given, SplitSchedule());
  EXPECT_EQ(costs.stages[0].backward_weight, 4ns);
  EXPECT_EQ(costs.derived,
            (std::vector<std::string>{"backward_weight: --backward without --backward-input"}));
}

TEST(CostSource, AddsUpAWholeBackward) {
  InlineCosts given;
  given.durations[kI] = {1ns};
  given.durations[kW] = {2ns};
  const Costs costs = CostsOf(given, WholeSchedule());
  EXPECT_EQ(costs.stages[0].backward, 3ns);
  EXPECT_EQ(costs.derived.size(), 1U);
}

TEST(CostSource, ABatchCostsSoManyMicrobatchesButOneStep) {
  InlineCosts given;
  given.durations[kF] = {7ns};
  given.durations[kS] = {9ns};
  given.sizes[1] = {100};
  given.sizes[2] = {1000};
  const Costs costs = CostsOf(given, WholeSchedule(), 8);
  EXPECT_EQ(costs.stages[0].forward, 56ns);
  EXPECT_EQ(costs.stages[0].step, 9ns);
  EXPECT_EQ(costs.stages[0].sizes.activation_bytes, 800);
  EXPECT_EQ(costs.stages[0].sizes.parameter_bytes, 1000);
  EXPECT_EQ(costs.microbatch_size, 16);
}

TEST(CostSource, RefusesABatchThatIsOutOfRange) {
  InlineCosts given;
  given.durations[kF] = {std::chrono::minutes(59)};
  EXPECT_THROW(static_cast<void>(CostsOf(given, WholeSchedule(), 2)), CommandFailure);
}

}  // namespace
}  // namespace stagecraft
