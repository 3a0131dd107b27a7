#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "schedules/staleness.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Reads;

/// Horizon of the last op of `kind` of a stage, in a long run without a drain.
std::int32_t LastHorizon(const Schedule& schedule, int stage, OpKind kind) {
  return schedule.At(test::FindOp(schedule, kind, stage, schedule.shape.microbatches - 1)).horizon;
}

TEST(SpecTrain, SteadyHorizonsAreThoseOfThePaper) {
  // Forward floor(r/2) + D - 1 - r, backward floor(r/2), with every rule.
  for (const HorizonRule rule : {HorizonRule::kExact, HorizonRule::kSteady, HorizonRule::kCode}) {
    for (std::int32_t ranks = 1; ranks <= 8; ++ranks) {
      const Schedule schedule =
          Make("spectrain", {.ranks = ranks, .microbatches = 3 * ranks, .horizon = rule});
      std::vector<std::int32_t> forward;
      std::vector<std::int32_t> backward;
      for (std::int32_t r = 0; r < ranks; ++r) {
        forward.push_back(LastHorizon(schedule, r, OpKind::kForward));
        backward.push_back(LastHorizon(schedule, r, OpKind::kBackward));
        EXPECT_EQ(forward.back(), r / 2 + ranks - 1 - r) << ranks << " stages, stage " << r;
        EXPECT_EQ(backward.back(), r / 2) << ranks << " stages, stage " << r;
      }
      if (ranks == 4) {
        std::cout << "D = 4: forward " << test::List(forward) << ", backward "
                  << test::List(backward) << '\n';
        EXPECT_EQ(test::List(forward), "3,2,2,1");
        EXPECT_EQ(test::List(backward), "0,0,1,1");
      }
    }
  }
}

TEST(SpecTrain, TheExactRuleFollowsTheRampAndRestartsAfterADrain) {
  // All aim at q + floor(r/2). Stage 0 of 3 has a warm-up of 2: 0, 1, 2 ahead, then always 2.
  const Schedule schedule = Make("spectrain", {.ranks = 3, .microbatches = 8, .drain_every = 4});
  EXPECT_EQ(Reads(schedule, 0, OpKind::kForward), "0 0+1 0+2 1+2 4 4+1 4+2 5+2");
  EXPECT_EQ(Reads(schedule, 0, OpKind::kBackward), "0 1 2 3 4 5 6 7");
  EXPECT_EQ(Reads(schedule, 1, OpKind::kForward), "0 0+1 1+1 2+1 4 4+1 5+1 6+1");
  EXPECT_EQ(Reads(schedule, 2, OpKind::kForward), "0+1 1+1 2+1 3+1 4+1 5+1 6+1 7+1");
  EXPECT_EQ(Reads(schedule, 2, OpKind::kBackward), "0+1 1+1 2+1 3+1 4+1 5+1 6+1 7+1");
}

TEST(SpecTrain, TheSteadyRuleIgnoresTheRamp) {
  const Schedule schedule =
      Make("spectrain", {.ranks = 3, .microbatches = 4, .horizon = HorizonRule::kSteady});
  EXPECT_EQ(Reads(schedule, 0, OpKind::kForward), "0+2 0+2 0+2 1+2");
  EXPECT_EQ(Reads(schedule, 1, OpKind::kForward), "0+1 0+1 1+1 2+1");
}

TEST(SpecTrain, ForwardAndBackwardAimAtTheSameVersion) {
  const Schedule schedule = Make("spectrain", {.ranks = 5, .microbatches = 12, .drain_every = 6});
  for (int stage = 0; stage < 5; ++stage) {
    for (int q = 0; q < 12; ++q) {
      const Op forward = schedule.At(test::FindOp(schedule, OpKind::kForward, stage, q));
      const Op backward = schedule.At(test::FindOp(schedule, OpKind::kBackward, stage, q));
      EXPECT_EQ(forward.version + forward.horizon, q + stage / 2);
      EXPECT_EQ(backward.version + backward.horizon, q + stage / 2);
      EXPECT_EQ(backward.version, q) << "the newest when it runs";
    }
  }
}

TEST(SpecTrain, ProgramWithItsPredictions) {
  // Stage 2 of 3: forward and backward share one prediction.
  const Schedule schedule = Make("spectrain", {.ranks = 3, .microbatches = 2});
  EXPECT_EQ(test::ProgramText(schedule, 0), "0F0@0 0P@0+1 0F1@0+1 0B0@0 0S@0 0B1@1 0S@1");
  EXPECT_EQ(test::ProgramText(schedule, 2),
            "2P@0+1 2F0@0+1 2B0@0+1 2S@0 2P@1+1 2F1@1+1 2B1@1+1 2S@1");
}

}  // namespace
}  // namespace stagecraft
