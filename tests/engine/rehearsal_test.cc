#include "engine/rehearsal.h"

#include <chrono>

#include <gtest/gtest.h>

#include "engine/ranks/thread_job.h"
#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

// How close a rehearsal comes to the prediction is measured by bench/rehearsal.cc; here, what must
// hold on any machine: nothing is faster than its costs, and data comes before its use.
TEST(Rehearsal, TakesAtLeastTheTimeOfItsCostsAndKeepsTheOrder) {
  const ExecutionPlan plan =
      PlanExecution(Lower(test::Make("1f1b", {.ranks = 4, .microbatches = 4})));
  const Costs costs = test::EqualCosts(plan.schedule, 1, 2);
  Recorder recorder(plan.schedule);
  RunAsThreads(plan, RehearsalOf(plan, costs), {.recorder = &recorder});
  EXPECT_GE(Makespan(recorder.Recorded()), (4 + 4 - 1) * 3 * test::kTick);
  const OpIds ids(plan.schedule);
  for (std::int32_t q = 0; q < 4; ++q) {
    const auto span = [&](OpKind kind, int stage) {
      return recorder.Recorded()
          .spans[static_cast<std::size_t>(ids.Of(test::FindOp(plan.schedule, kind, stage, q)))];
    };
    for (int stage = 0; stage < 4; ++stage) {
      const Span forward = span(OpKind::kForward, stage);
      EXPECT_GE(forward.end - forward.start, test::kTick);
      if (stage > 0) {
        EXPECT_GE(forward.start, span(OpKind::kForward, stage - 1).end);
        EXPECT_GE(span(OpKind::kBackward, stage - 1).start, span(OpKind::kBackward, stage).end);
      }
    }
  }
}

}  // namespace
}  // namespace stagecraft
