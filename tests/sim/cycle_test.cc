#include "sim/cycle.h"

#include <optional>

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

using test::EqualCosts;
using test::kTick;
using test::Make;
using test::SimulateWith;

std::optional<Cycle> CycleOf(const char* name, const GeneratorOptions& options,
                             const Topology& topology = {}) {
  const Schedule schedule = Make(name, options);
  const test::Run run = SimulateWith(schedule, EqualCosts(schedule, 1, 2), topology);
  return FindCycle(run.schedule, run.timeline);
}

TEST(FindCycle, OfAStreamIsOneMicrobatch) {
  const auto cycle = CycleOf("pipedream", {.ranks = 4, .microbatches = 40});
  ASSERT_TRUE(cycle);
  EXPECT_EQ(cycle->microbatches, 1);
  EXPECT_EQ(cycle->time, 3 * kTick);
  EXPECT_DOUBLE_EQ(cycle->PerMicrobatch(), 3e6);
}

TEST(FindCycle, OfAFlushScheduleIsOneBatch) {
  // A batch of 4 takes (4 + p - 1) * 3 = 21 ticks; its successor starts after its flush.
  const auto cycle = CycleOf("gpipe", {.ranks = 4, .microbatches = 4, .batches = 12});
  ASSERT_TRUE(cycle);
  EXPECT_EQ(cycle->microbatches, 4);
  EXPECT_EQ(cycle->time, 21 * kTick);
}

TEST(FindCycle, NeedsARunThatIsLongEnough) {
  EXPECT_FALSE(CycleOf("pipedream", {.ranks = 8, .microbatches = 4}));
  EXPECT_FALSE(CycleOf("gpipe", {.ranks = 4, .microbatches = 4}));
}

TEST(FindCycle, OfNothingThatTakesTimeIsNothing) {
  const Schedule schedule = Make("pipedream", {.ranks = 2, .microbatches = 20});
  const test::Run run = SimulateWith(schedule, EqualCosts(schedule, 0, 0));
  EXPECT_FALSE(FindCycle(run.schedule, run.timeline));
}

TEST(FindCycle, HoldsToTheNanosecond) {
  // A nanosecond more on one micro-batch in the middle: no period covers half of the run.
  const Schedule schedule = Make("sequential", {.ranks = 1, .microbatches = 20});
  test::Run run = SimulateWith(schedule, EqualCosts(schedule, 1, 2));
  ASSERT_TRUE(FindCycle(run.schedule, run.timeline));
  for (std::size_t i = 0; i < run.timeline.spans.size(); ++i) {
    run.timeline.spans[i].start += Nanoseconds(i * i);
    run.timeline.spans[i].end += Nanoseconds(i * i);
  }
  EXPECT_FALSE(FindCycle(run.schedule, run.timeline));
}

}  // namespace
}  // namespace stagecraft
