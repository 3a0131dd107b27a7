#include <string>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Programs;

std::string Warnings(const Schedule& schedule) {
  EXPECT_EQ(test::Texts(Verify(schedule)), "");
  return test::Texts(VersionWarnings(schedule));
}

TEST(VersionWarnings, CountBackwardsForOtherWeightsPerStage) {
  // D = 3, 5 micro-batches. Stage 0: forwards read 0,0,0,1,2 and backwards 0,1,2,3,4: 4 differ.
  // Stage 1: 0,0,1,2,3 and 0,1,2,3,4: 4 differ. Stage 2: none.
  EXPECT_EQ(Warnings(Make("async-1f1b", {.ranks = 3, .microbatches = 5})),
            "stage 0: warning: 4 backwards for other weights than the forward, first 0B1@1: "
            "version 1 instead of 0 [backward-version]\n"
            "stage 1: warning: 4 backwards for other weights than the forward, first 1B1@1: "
            "version 1 instead of 0 [backward-version]\n");
}

TEST(VersionWarnings, CountHorizonsThatAreNotTheTrueDistance) {
  // The released code's rule is D - r: 2 on stage 0 and 1 on stage 1 instead of 1 and 0; the first
  // forward of stage 0 has a distance of 0. The backward reads the version stepped, so each
  // forward that misjudges has a backward for other weights, too.
  EXPECT_EQ(
      Warnings(Make("pipeoptim", {.ranks = 2, .microbatches = 3, .horizon = HorizonRule::kCode})),
      "stage 0: warning: 3 backwards for other weights than the forward, first 0B0@0: "
      "version 0 instead of 2 [backward-version]\n"
      "stage 0: warning: 3 forwards with a horizon that is not the true distance, first "
      "0F0@0+2: +2 instead of +0 [true-horizon]\n"
      "stage 1: warning: 3 backwards for other weights than the forward, first 1B0@0: "
      "version 0 instead of 1 [backward-version]\n"
      "stage 1: warning: 3 forwards with a horizon that is not the true distance, first "
      "1F0@0+1: +1 instead of +0 [true-horizon]\n");
}

// The horizon stands on the forward, wherever the gradient comes from. Both forwards are wrong: S@0
// has distance 0 from what they read. The W of micro-batch 1 runs first, its forward second.
TEST(VersionWarnings, NameTheFirstForwardAndNotAnOpOfItsBackward) {
  const std::vector<Diagnostic> warnings = VersionWarnings(
      Programs(2, {"0: 0P@0+2 0F0@0+2 0F1@0+2 0I0@0+2 0I1@0+2 0W1@0+2 0W0@0+2 0S@0"}));
  ASSERT_EQ(test::Texts(warnings),
            "stage 0: warning: 2 forwards with a horizon that is not the true distance, first "
            "0F0@0+2: +2 instead of +0 [true-horizon]\n");
  EXPECT_EQ(warnings[0].op, (OpRef{0, 1}));
}

TEST(VersionWarnings, SpeakOfOneInTheSingular) {
  EXPECT_EQ(Warnings(Programs(1, {"0: 0P@0+1 0F0@0+1 0B0@0 0S@0"})),
            "stage 0: warning: 1 backward for other weights than the forward, first 0B0@0: version "
            "0 instead of 1 [backward-version]\n"
            "stage 0: warning: 1 forward with a horizon that is not the true distance, first "
            "0F0@0+1: +1 instead of +0 [true-horizon]\n");
}

TEST(VersionWarnings, CompareVersionPlusHorizon) {
  // The backward reads version 1 itself, the forward its prediction from version 0: the same aim.
  EXPECT_EQ(Warnings(Programs(2, {"0: 0F0@0 0P@0+1 0F1@0+1 0B0@0 0S@0 0B1@1 0S@1"})), "");
  // I and W are looked at, R is not (it has a rule of its own).
  EXPECT_EQ(Warnings(Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0S@0 0R1@0 0I1@1 0W1@1 0S@1"})),
            "stage 0: warning: 2 backwards for other weights than the forward, first 0I1@1: "
            "version 1 instead of 0 [backward-version]\n");
}

TEST(VersionWarnings, AreWarningsThatNameTheFirstOp) {
  const std::vector<Diagnostic> warnings =
      VersionWarnings(Make("async-1f1b", {.ranks = 2, .microbatches = 2}));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].severity, Severity::kWarning);
  EXPECT_FALSE(HasErrors(warnings));
  EXPECT_EQ(warnings[0].op, (OpRef{0, 4}));  // 0F0 0F1 0B0 0S@0 0B1.
}

TEST(VersionWarnings, AreNoneWhereForwardAndBackwardAgree) {
  for (const char* name :
       {"sequential", "gpipe", "1f1b", "pipedream", "pipedream-2bw", "pipeoptim"}) {
    EXPECT_EQ(Warnings(Make(name, {.ranks = 4, .microbatches = 8})), "") << name;
  }
}

TEST(VersionWarnings, OfPipeMareAndPipelinedBackprop) {
  // PipeMare's backward reads the estimate of its forward's version: 3-2 = 1 for 1; its horizon is
  // on the backward, which has no distance of its own.
  EXPECT_EQ(Warnings(Make("pipemare", {.ranks = 4, .microbatches = 8})), "");
  // The forward predicts what the backward will read.
  EXPECT_EQ(Warnings(Make("pipelined-backprop", {.ranks = 4, .microbatches = 8})), "");
}

TEST(VersionWarnings, SpecTrainAimsBeyondItsUpdateFromStageTwoOn) {
  // D = 4: on stage 2 F aims at q + 1, its own update is q; on stage 3 as well. Forward and
  // backward agree.
  EXPECT_EQ(Warnings(Make("spectrain", {.ranks = 4, .microbatches = 6})),
            "stage 2: warning: 6 forwards with a horizon that is not the true distance, first "
            "2F0@0+1: +1 instead of +0 [true-horizon]\n"
            "stage 3: warning: 6 forwards with a horizon that is not the true distance, first "
            "3F0@0+1: +1 instead of +0 [true-horizon]\n");
}

}  // namespace
}  // namespace stagecraft
