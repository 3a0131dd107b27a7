#include "schedules/evaluation.h"

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "schedules/verify.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

TEST(Evaluation, RunsEveryMicrobatchThroughAllStages) {
  EXPECT_EQ(Print(EvaluationSchedule({{0, 3}, {1, 2}}, 4, 2)),
            "stagecraft schedule 1\n"
            "name      evaluation\n"
            "shape     ranks 2 stages 4 microbatches 2\n"
            "mode      forward\n"
            "place     0: 0 3\n"
            "place     1: 1 2\n"
            "rank 0    0F0@0 3F0@0 0F1@0 3F1@0\n"
            "rank 1    1F0@0 2F0@0 1F1@0 2F1@0\n");
}

TEST(Evaluation, IsAValidScheduleOnEveryPlacement) {
  using Placement = Table<Table<std::int32_t>>;
  for (const Placement& placement :
       {Placement{{0}, {1}, {2}}, Placement{{0, 3}, {1, 2}}, Placement{{0}, {0}, {0}, {1}},
        Placement{{0, 2}, {1, 3}}, Placement{{0, 1}, {1, 0}}}) {
    std::int32_t stages = 0;
    for (const Table<std::int32_t>& of_rank : placement) {
      for (const std::int32_t stage : of_rank) {
        stages = std::max(stages, stage + 1);
      }
    }
    const Schedule schedule = EvaluationSchedule(placement, stages, 7);
    EXPECT_EQ(test::Texts(Verify(schedule)), "");
    EXPECT_EQ(test::Texts(Verify(Lower(schedule))), "");
  }
}

}  // namespace
}  // namespace stagecraft
