#include "engine/executor.h"

#include <cstdint>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "engine/ranks/thread_job.h"
#include "schedules/lower.h"
#include "schedules/verify.h"
#include "tests/engine/scalar_model.h"
#include "tests/support/generator_variants.h"
#include "tests/support/mutate.h"
#include "tests/support/random_schedule.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::ExecuteScalar;
using test::InterpretScalar;
using test::Make;
using test::ScalarResult;

/// The executor's bits are those of the interpreter, which keeps full copies of every version.
void ExpectEqualToTheInterpreter(const Schedule& lowered, const std::string& what) {
  ASSERT_EQ(test::Texts(Verify(lowered)), "") << what;
  const ScalarResult expected = InterpretScalar(lowered);
  const ScalarResult actual = ExecuteScalar(PlanExecution(lowered));
  ASSERT_EQ(actual.outputs, expected.outputs) << what;
  ASSERT_EQ(actual.weights, expected.weights) << what;
}

TEST(Executor, GivesTheBitsOfTheInterpreterForEveryGenerator) {
  std::int64_t schedules = 0;
  test::ForEachVariant(4, [&](const test::Variant& variant) {
    const std::int32_t microbatches = variant.options.microbatches * variant.options.batches;
    if ((microbatches != 6 && microbatches != 12) || testing::Test::HasFailure()) {
      return;
    }
    ExpectEqualToTheInterpreter(Lower(variant.Make()), variant.Text());
    ++schedules;
  });
  std::cout << schedules << " schedules give equal bits\n";
  EXPECT_GT(schedules, 300);
}

TEST(Executor, GivesTheBitsOfTheInterpreterForRandomSchedules) {
  test::RandomSchedules random(test::SeedFromEnvironment(31));
  for (int i = 0; i < 200 && !HasFailure(); ++i) {
    const Schedule lowered = Lower(random.Next(), random.Policy());
    ExpectEqualToTheInterpreter(lowered, Print(lowered));
  }
}

TEST(Executor, FlushSchedulesTrainLikeOneRank) {
  // The same sums in the same order: a flush schedule steps with the mean of the whole batch.
  const GeneratorOptions options{.ranks = 4, .microbatches = 4, .batches = 3};
  const ScalarResult plain = InterpretScalar(Make("sequential", options));
  for (const char* name : {"gpipe", "1f1b", "model-parallel"}) {
    const ScalarResult result = ExecuteScalar(PlanExecution(Lower(Make(name, options))));
    EXPECT_EQ(result.outputs, plain.outputs) << name;
    for (std::int32_t stage = 0; stage < 4; ++stage) {
      EXPECT_EQ(result.weights.at({stage, stage}), plain.weights.at({stage, 0})) << name;
    }
  }
}

TEST(Executor, RecordsEveryOpInProgramOrder) {
  const ExecutionPlan plan =
      PlanExecution(Lower(Make("pipeoptim", {.ranks = 3, .microbatches = 8})));
  Recorder recorder(plan.schedule);
  ExecuteScalar(plan, &recorder);
  const Timeline recorded = recorder.Recorded();
  const OpIds ids(plan.schedule);
  for (std::int32_t rank = 0; rank < 3; ++rank) {
    Nanoseconds before{0};
    const auto size =
        static_cast<std::int32_t>(plan.schedule.programs[static_cast<std::size_t>(rank)].size());
    for (std::int32_t i = 0; i < size; ++i) {
      const Span& span = recorded.spans[static_cast<std::size_t>(ids.Of({rank, i}))];
      EXPECT_LE(before, span.start);
      EXPECT_LE(span.start, span.end);
      before = span.end;
    }
  }
}

}  // namespace
}  // namespace stagecraft
