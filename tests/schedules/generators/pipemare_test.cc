#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Reads;

TEST(PipeMare, BackwardsReadAnEstimateOfWhatTheirForwardRead) {
  const Schedule schedule = Make("pipemare", {.ranks = 4, .microbatches = 8});
  const std::string forward = Reads(schedule, 0, OpKind::kForward);
  const std::string backward = Reads(schedule, 0, OpKind::kBackward);
  std::cout << "D = 4, stage 0: forward " << forward << ", backward " << backward << '\n';
  EXPECT_EQ(forward, "0 0 0 0 1 2 3 4");
  EXPECT_EQ(backward, "0 1-1 2-2 3-3 4-3 5-3 6-3 7-3");
  EXPECT_EQ(Reads(schedule, 3, OpKind::kBackward), "0 1 2 3 4 5 6 7");
}

TEST(PipeMare, EstimatesAreMadeRightBeforeTheBackward) {
  EXPECT_EQ(test::ProgramText(Make("pipemare", {.ranks = 2, .microbatches = 3}), 0),
            "0F0@0 0F1@0 0B0@0 0S@0 0F2@1 0P@1-1 0B1@1-1 0S@1 0P@2-1 0B2@2-1 0S@2");
}

TEST(PipeMare, BackwardsOfOneVersionShareAnEstimate) {
  // T = 2: 0B2 and 0B3 both run at version 1; 0F2 read version 0 and 0F3 version 1.
  EXPECT_EQ(
      test::ProgramText(Make("pipemare", {.ranks = 3, .microbatches = 6, .update_every = 2}), 0),
      "0F0@0 0F1@0 0F2@0 0B0@0 0F3@0 0B1@0 0S@0 0F4@1 0P@1-1 0B2@1-1 0F5@1 0B3@1-1 0S@1 0P@2-1 "
      "0B4@2-1 0B5@2-1 0S@2");
}

TEST(PipeMare, ADrainRestartsTheDelay) {
  const Schedule schedule = Make("pipemare", {.ranks = 2, .microbatches = 4, .drain_every = 2});
  EXPECT_EQ(Reads(schedule, 0, OpKind::kForward), "0 0 2 2");
  EXPECT_EQ(Reads(schedule, 0, OpKind::kBackward), "0 1-1 2 3-1");
}

TEST(PipeMare, TheEstimateIsAlwaysOfTheForwardsVersion) {
  const Schedule schedule = Make("pipemare", {.ranks = 5, .microbatches = 24, .update_every = 3});
  for (int stage = 0; stage < 5; ++stage) {
    for (int q = 0; q < 24; ++q) {
      const Op forward = schedule.At(test::FindOp(schedule, OpKind::kForward, stage, q));
      const Op backward = schedule.At(test::FindOp(schedule, OpKind::kBackward, stage, q));
      EXPECT_EQ(backward.version + backward.horizon, forward.version) << ToString(backward);
      EXPECT_EQ(backward.version, q / 3) << "the newest when it runs";
    }
  }
}

}  // namespace
}  // namespace stagecraft
