#include "traces/measured_stages.h"

#include <gtest/gtest.h>

#include "schedules/schedule.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// Every op takes as long as its micro-batch is high, S and P 100.
Timeline TimelineOf(const Schedule& schedule) {
  Timeline timeline;
  for (const Program& program : schedule.programs) {
    for (const Op& op : program) {
      const std::int64_t length = TraitsOf(op.kind).has_microbatch ? 10 * (op.microbatch + 1) : 100;
      timeline.spans.push_back({Nanoseconds(0), Nanoseconds(length)});
    }
  }
  return timeline;
}

TEST(MeasureStages, GivesTheMeanOfEachKind) {
  const Schedule schedule = test::Make("pipeoptim", {.ranks = 2, .microbatches = 4});
  const std::vector<ProfileLayer> stages = MeasureStages(schedule, TimelineOf(schedule), {{0, 4}});
  ASSERT_EQ(stages.size(), 2U);
  EXPECT_EQ(stages[0].at[0].forward, Nanoseconds(25));
  EXPECT_EQ(stages[1].at[0].backward, Nanoseconds(25));
  EXPECT_EQ(stages[0].step, Nanoseconds(100));
  EXPECT_EQ(stages[0].predict, Nanoseconds(100));
  EXPECT_FALSE(stages[1].predict);
  EXPECT_FALSE(stages[0].at[0].recompute);
}

TEST(MeasureStages, OfAPartOfTheMicrobatches) {
  const Schedule schedule = test::Make("1f1b", {.ranks = 2, .microbatches = 2, .batches = 2});
  const std::vector<ProfileLayer> stages = MeasureStages(schedule, TimelineOf(schedule), {{2, 4}});
  EXPECT_EQ(stages[0].at[0].forward, Nanoseconds(35));
  EXPECT_EQ(stages[0].step, Nanoseconds(100));
}

}  // namespace
}  // namespace stagecraft
