#include <iostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "schedules/text.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Reads;

/// Every size and option of the exact rule.
std::vector<GeneratorOptions> ExactOptions() {
  std::vector<GeneratorOptions> all;
  for (std::int32_t ranks = 1; ranks <= 6; ++ranks) {
    for (const std::int32_t every : {1, 2, 3, 4}) {
      for (const std::int32_t drain : {0, 12}) {
        all.push_back(
            {.ranks = ranks, .microbatches = 36, .update_every = every, .drain_every = drain});
      }
    }
  }
  return all;
}

TEST(PipeOptim, BackwardsReadTheNewestVersionWithEveryRule) {
  int backwards = 0;
  for (GeneratorOptions options : ExactOptions()) {
    for (const HorizonRule rule : {HorizonRule::kExact, HorizonRule::kSteady, HorizonRule::kCode}) {
      options.horizon = rule;
      for (const Program& program : Make("pipeoptim", options).programs) {
        std::int32_t newest = 0;
        for (const Op& op : program) {
          newest += op.kind == OpKind::kStep ? 1 : 0;
          if (op.kind == OpKind::kBackward) {
            ASSERT_EQ(op.version, newest);
            ASSERT_EQ(op.horizon, 0);
            ++backwards;
          }
        }
      }
    }
  }
  std::cout << backwards << " backwards, all of the newest version\n";
}

TEST(PipeOptim, NominalStalenessIsZeroAlsoInTheRampAndAfterADrain) {
  std::int64_t uses = 0;
  for (const GeneratorOptions& options : ExactOptions()) {
    const Schedule schedule = Make("pipeoptim", options);
    for (const GradientUse& use : GradientUses(schedule)) {
      ASSERT_EQ(use.version + use.horizon, use.step_version) << ToString(schedule.At(use.gradient));
      ++uses;
    }
  }
  std::cout << uses << " gradients, nominal staleness 0 of each\n";
}

TEST(PipeOptim, TheExactRuleFollowsTheRampAndRestartsAfterADrain) {
  const Schedule schedule = Make("pipeoptim", {.ranks = 3, .microbatches = 8, .drain_every = 4});
  EXPECT_EQ(Reads(schedule, 0, OpKind::kForward), "0 0+1 0+2 1+2 4 4+1 4+2 5+2");
  EXPECT_EQ(Reads(schedule, 1, OpKind::kForward), "0 0+1 1+1 2+1 4 4+1 5+1 6+1");
  EXPECT_EQ(Reads(schedule, 2, OpKind::kForward), "0 1 2 3 4 5 6 7");
}

TEST(PipeOptim, TheSteadyRuleIsThePapersAndTheCodesIsOneMore) {
  const GeneratorOptions options{.ranks = 3, .microbatches = 4};
  GeneratorOptions steady = options;
  steady.horizon = HorizonRule::kSteady;
  EXPECT_EQ(Reads(Make("pipeoptim", steady), 0, OpKind::kForward), "0+2 0+2 0+2 1+2");
  EXPECT_EQ(Reads(Make("pipeoptim", steady), 2, OpKind::kForward), "0 1 2 3");
  GeneratorOptions code = options;
  code.horizon = HorizonRule::kCode;
  EXPECT_EQ(Reads(Make("pipeoptim", code), 0, OpKind::kForward), "0+3 0+3 0+3 1+3");
  EXPECT_EQ(Reads(Make("pipeoptim", code), 2, OpKind::kForward), "0+1 1+1 2+1 3+1");
}

TEST(PipeOptim, SeveralMicrobatchesPerUpdateShortenTheHorizon) {
  // floor(q / T) minus the newest version; the steady form is ceil((D-1-r) / T) for all.
  const Schedule exact = Make("pipeoptim", {.ranks = 4, .microbatches = 8, .update_every = 2});
  // Stage 0, warm-up 3: q = 3 runs before the first backward, q = 4 after it, both before the step.
  EXPECT_EQ(Reads(exact, 0, OpKind::kForward), "0 0 0+1 0+1 0+2 1+1 1+2 2+1");
  const Schedule steady =
      Make("pipeoptim",
           {.ranks = 4, .microbatches = 8, .update_every = 2, .horizon = HorizonRule::kSteady});
  EXPECT_EQ(Reads(steady, 0, OpKind::kForward), "0+2 0+2 0+2 0+2 0+2 1+2 1+2 2+2");
}

TEST(PipeOptim, SteadyAndExactDifferInTheRampOnly) {
  const Schedule exact = Make("pipeoptim", {.ranks = 4, .microbatches = 12});
  const Schedule steady =
      Make("pipeoptim", {.ranks = 4, .microbatches = 12, .horizon = HorizonRule::kSteady});
  for (int stage = 0; stage < 4; ++stage) {
    for (int q = 0; q < 12; ++q) {
      const Op a = exact.At(test::FindOp(exact, OpKind::kForward, stage, q));
      const Op b = steady.At(test::FindOp(steady, OpKind::kForward, stage, q));
      EXPECT_EQ(a.horizon == b.horizon, q >= 3 - stage) << ToString(a);
    }
  }
}

TEST(PipeOptim, ProgramWithItsPredictions) {
  const Schedule schedule = Make("pipeoptim", {.ranks = 2, .microbatches = 3});
  EXPECT_EQ(test::ProgramText(schedule, 0),
            "0F0@0 0P@0+1 0F1@0+1 0B0@0 0S@0 0P@1+1 0F2@1+1 0B1@1 0S@1 0B2@2 0S@2");
  EXPECT_EQ(test::ProgramText(schedule, 1), "1F0@0 1B0@0 1S@0 1F1@1 1B1@1 1S@1 1F2@2 1B2@2 1S@2");
}

}  // namespace
}  // namespace stagecraft
