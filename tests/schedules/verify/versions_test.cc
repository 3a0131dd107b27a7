#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "tests/schedules/verify_cases.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Programs;

std::vector<VerifyCase> ReadCases() {
  return {
      {"on-its-rank", "NotPlacedThere",
       Programs(1, {"0: 0F0@0 0B0@0 0S@0", "1: 1F0@0 1B0@0 1S@0 0P@1+1"}),
       "rank 1, op 3 (0P@1+1): error: stage 0 is not placed on rank 1 [on-its-rank]\n"
       "  rank 1 | 1F0@0 1B0@0 1S@0 0P@1+1\n"
       "                            ^\n",
       Programs(1, {"0: 0F0@0 0B0@0 0S@0", "1: 1F0@0 1B0@0 1S@0"})},
      {"version-exists", "NotWrittenYet", Programs(1, {"0: 0F0@1 0B0@0 0S@0"}),
       "rank 0, op 0 (0F0@1): error: reads version 1, but the newest here is 0 [version-exists]\n"
       "  rank 0 | 0F0@1 0B0@0 0S@0\n"
       "           ^\n",
       Programs(1, {"0: 0F0@0 0B0@0 0S@0"})},
      {"prediction-exists", "NotPredictedYet", Programs(1, {"0: 0F0@0+1 0P@0+1 0B0@0+1 0S@0"}),
       "rank 0, op 0 (0F0@0+1): error: no P@0+1 of stage 0 before it on this rank "
       "[prediction-exists]\n"
       "  rank 0 | 0F0@0+1 0P@0+1 0B0@0+1 0S@0\n"
       "           ^\n",
       Programs(1, {"0: 0P@0+1 0F0@0+1 0B0@0+1 0S@0"})},
      {"prediction-exists", "OfAnotherHorizon", Programs(1, {"0: 0P@0+2 0F0@0+1 0B0@0 0S@0"}),
       "rank 0, op 1 (0F0@0+1): error: no P@0+1 of stage 0 before it on this rank "
       "[prediction-exists]\n"
       "  rank 0 | 0P@0+2 0F0@0+1 0B0@0 0S@0\n"
       "                  ^\n",
       Programs(1, {"0: 0P@0+2 0F0@0+2 0B0@0 0S@0"})},
      {"horizon", "BeforeTheFirstVersion", Programs(1, {"0: 0P@0-1 0F0@0 0B0@0 0S@0"}),
       "rank 0, op 0 (0P@0-1): error: version 0 with horizon -1 is before the first version "
       "[horizon]\n"
       "  rank 0 | 0P@0-1 0F0@0 0B0@0 0S@0\n"
       "           ^\n",
       Programs(1, {"0: 0F0@0 0B0@0 0S@0 0P@1-1"})},
      {"horizon", "NoneInAPrediction", Programs(1, {"0: 0P@0 0F0@0 0B0@0 0S@0"}),
       "rank 0, op 0 (0P@0): error: a prediction without a horizon; expected +N or -N [horizon]\n"
       "  rank 0 | 0P@0 0F0@0 0B0@0 0S@0\n"
       "           ^\n",
       Programs(1, {"0: 0P@0+1 0F0@0 0B0@0 0S@0"})},
      {"predict-newest", "FromAnOldVersion", Programs(1, {"0: 0F0@0 0B0@0 0S@0 0P@0+1"}),
       "rank 0, op 3 (0P@0+1): error: starts from version 0, but the newest here is 1 "
       "[predict-newest]\n"
       "  rank 0 | 0F0@0 0B0@0 0S@0 0P@0+1\n"
       "                            ^\n",
       Programs(1, {"0: 0F0@0 0B0@0 0S@0 0P@1+1"})},
  };
}

std::vector<VerifyCase> StepCases() {
  return {
      {"step-versions", "LeavesOneOut", Programs(1, {"0: 0F0@0 0B0@0 0S@1"}),
       "rank 0, op 2 (0S@1): error: steps version 1, but the newest here is 0 [step-versions]\n"
       "  rank 0 | 0F0@0 0B0@0 0S@1\n"
       "                       ^\n",
       Programs(1, {"0: 0F0@0 0B0@0 0S@0"})},
      {"step-gradient", "NoGradient", Programs(1, {"0: 0F0@0 0B0@0 0S@0 0S@1"}),
       "rank 0, op 3 (0S@1): error: no gradient since the S before it [step-gradient]\n"
       "  rank 0 | 0F0@0 0B0@0 0S@0 0S@1\n"
       "                            ^\n",
       Programs(1, {"0: 0F0@0 0B0@0 0S@0"})},
      {"step-gradient", "OfAnI", Programs(1, {"0: 0F0@0 0I0@0 0S@0 0W0@0 0S@1"}),
       "rank 0, op 2 (0S@0): error: no gradient since the S before it [step-gradient]\n"
       "  rank 0 | 0F0@0 0I0@0 0S@0 0W0@0 0S@1\n"
       "                       ^\n",
       Programs(1, {"0: 0F0@0 0I0@0 0W0@0 0S@0"})},
      {"step-gradient", "NoStep", Programs(1, {"0: 0F0@0 0B0@0"}),
       "rank 0, op 1 (0B0@0): error: 1 gradient of stage 0 without an S behind [step-gradient]\n"
       "  rank 0 | 0F0@0 0B0@0\n"
       "                 ^\n",
       Programs(1, {"0: 0F0@0 0B0@0 0S@0"})},
      {"step-gradient", "NoStepForSeveral", Programs(2, {"0: 0F0@0 0B0@0 0F1@0 0B1@0"}),
       "rank 0, op 3 (0B1@0): error: 2 gradients of stage 0 without an S behind [step-gradient]\n"
       "  rank 0 | 0F0@0 0B0@0 0F1@0 0B1@0\n"
       "                             ^\n",
       Programs(2, {"0: 0F0@0 0B0@0 0F1@0 0B1@0 0S@0"})},
      {"step-gradient", "OfNoReplica",
       Programs(1, {"0: 0F0@0 0B0@0 0A@0 0S@0 0A@1 0S@1", "0: 0A@0 0S@0 0A@1 0S@1"}),
       "stage 0: error: no replica has a gradient for its S@1 [step-gradient]\n",
       Programs(2, {"0: 0F0@0 0B0@0 0A@0 0S@0 0A@1 0S@1", "0: 0A@0 0S@0 0F1@1 0B1@1 0A@1 0S@1"})},
  };
}

std::vector<VerifyCase> ReplicaCases() {
  const Schedule good = Programs(2, {"0: 0F0@0 0B0@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0A@0 0S@0"});
  return {
      {"replica-step", "AllReduceOfOneRank", Programs(1, {"0: 0F0@0 0B0@0 0A@0 0S@0"}),
       "rank 0, op 2 (0A@0): error: stage stands on one rank only; expected no A "
       "[replica-step]\n"
       "  rank 0 | 0F0@0 0B0@0 0A@0 0S@0\n"
       "                       ^\n",
       Programs(1, {"0: 0F0@0 0B0@0 0S@0"})},
      {"replica-step", "AllReduceOfAnotherVersion",
       Programs(2, {"0: 0F0@0 0B0@0 0A@1 0S@0", "0: 0F1@0 0B1@0 0A@0 0S@0"}),
       "rank 0, op 2 (0A@1): error: names version 1; expected 0, the one its S steps "
       "[replica-step]\n"
       "  rank 0 | 0F0@0 0B0@0 0A@1 0S@0\n"
       "                       ^\n",
       good},
      {"replica-step", "TwoAllReduces",
       Programs(2, {"0: 0F0@0 0B0@0 0A@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0A@0 0A@0 0S@0"}),
       "rank 0, op 3 (0A@0): error: a second A for one S; the first is op 2 [replica-step]\n"
       "  rank 0 | 0F0@0 0B0@0 0A@0 0A@0 0S@0\n"
       "                            ^\n"
       "rank 1, op 3 (0A@0): error: a second A for one S; the first is op 2 [replica-step]\n",
       good},
      {"replica-step", "NoAllReduce", Programs(2, {"0: 0F0@0 0B0@0 0S@0", "0: 0F1@0 0B1@0 0S@0"}),
       "rank 0, op 2 (0S@0): error: no A@0 before it; the stage stands on 2 ranks "
       "[replica-step]\n"
       "  rank 0 | 0F0@0 0B0@0 0S@0\n"
       "                       ^\n"
       "rank 1, op 2 (0S@0): error: no A@0 before it; the stage stands on 2 ranks "
       "[replica-step]\n",
       good},
      {"replica-step", "GradientAfterTheAllReduce",
       Programs(2, {"0: 0F0@0 0A@0 0B0@0 0S@0", "0: 0F1@0 0B1@0 0A@0 0S@0"}),
       "rank 0, op 3 (0S@0): error: gradient of op 2 comes after the A, op 1 [replica-step]\n"
       "  rank 0 | 0F0@0 0A@0 0B0@0 0S@0\n"
       "                            ^\n",
       good},
      {"replica-step", "FewerSteps",
       Programs(2, {"0: 0F0@0 0B0@0 0A@0 0S@0 0F1@1 0B1@1 0A@1 0S@1", "0: 0A@0 0S@0 0A@1"}),
       "rank 1: error: steps stage 0 1 times, but a replica 2 times [replica-step]\n",
       Programs(2, {"0: 0F0@0 0B0@0 0A@0 0S@0 0F1@1 0B1@1 0A@1 0S@1", "0: 0A@0 0S@0 0A@1 0S@1"})},
  };
}

std::vector<VerifyCase> CellCases() {
  const Schedule good = Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0"});
  Schedule open = Programs(1, {"0: 0F0@0 0B0@0 0S@0"});
  open.programs[0][2].joined = true;
  return {
      {"cell", "AtTheEnd", open,
       "rank 0, op 2 (0S@0): error: joined with a next op, but it is the last [cell]\n"
       "  rank 0 | 0F0@0 0B0@0 0S@0\n"
       "                       ^\n",
       good},
      {"cell", "WithAStep", Programs(1, {"0: 0F0@0 (0B0@0;0S@0)"}),
       "rank 0, op 1 (0B0@0): error: joined with 0S@0; only F, B, I, W and R form cells [cell]\n"
       "  rank 0 | 0F0@0 0B0@0 0S@0\n"
       "                 ^\n",
       good},
      {"cell", "ForwardAndItsOwnBackward", Programs(1, {"0: (0F0@0;0B0@0) 0S@0"}),
       "rank 0, op 0 (0F0@0): error: joined with 0B0@0, but one needs the other [cell]\n"
       "  rank 0 | 0F0@0 0B0@0 0S@0\n"
       "           ^\n",
       good},
      {"cell", "ForwardsOfNeighbours", Programs(1, {"0 1: (0F0@0;1F0@0) 1B0@0 0B0@0 0S@0 1S@0"}),
       "rank 0, op 0 (0F0@0): error: joined with 1F0@0, but one needs the other [cell]\n"
       "  rank 0 | 0F0@0 1F0@0 1B0@0 0B0@0 0S@0 ...\n"
       "           ^\n",
       Programs(1, {"0 1: 0F0@0 1F0@0 1B0@0 0B0@0 0S@0 1S@0"})},
      {"cell", "BackwardsOfNeighbours", Programs(1, {"0 1: 0F0@0 1F0@0 (0B0@0;1B0@0) 0S@0 1S@0"}),
       "rank 0, op 2 (0B0@0): error: joined with 1B0@0, but one needs the other [cell]\n"
       "  rank 0 | 0F0@0 1F0@0 0B0@0 1B0@0 0S@0 1S@0\n"
       "                       ^\n"
       "rank 0, op 2 (0B0@0): error: deadlock with eager sends: waits for 1B0@0 on rank 0, which "
       "stands behind 0B0@0 [progress]\n"
       "  rank 0 | 0F0@0 1F0@0 0B0@0 1B0@0 0S@0 1S@0\n"
       "                       ^\n",
       Programs(1, {"0 1: 0F0@0 1F0@0 1B0@0 0B0@0 0S@0 1S@0"})},
  };
}

void Append(std::vector<VerifyCase>& cases, const std::vector<VerifyCase>& more) {
  cases.insert(cases.end(), more.begin(), more.end());
}

TEST(VerifyVersions, EveryCounterexampleIsReported) {
  ExpectCases(VersionCases());
}

/// `forwards` forwards in one cell, then their backwards.
Schedule WideCell(int forwards) {
  std::string program = "0: (0F0@0";
  std::string backwards;
  for (int q = 0; q < forwards; ++q) {
    program += q > 0 ? ";0F" + std::to_string(q) + "@0" : "";
    backwards += " 0B" + std::to_string(q) + "@0";
  }
  program += ")" + backwards + " 0S@0";
  return Programs(forwards, {program});
}

TEST(VerifyVersions, CellsHaveAtMostSixtyFourMembers) {
  EXPECT_EQ(test::Texts(Verify(WideCell(64))), "");
  const std::vector<Diagnostic> found = Verify(WideCell(65));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].message, "a cell of more than 64 ops");
  EXPECT_EQ(found[0].rule, "cell");
}

TEST(VerifyVersions, OldPredictionsMayStillBeRead) {
  // Ten predictions later the first one is still known, and one that was never made is not.
  std::string program = "0:";
  for (int h = 1; h <= 10; ++h) {
    program += " 0P@0+" + std::to_string(h);
  }
  EXPECT_EQ(test::Texts(Verify(Programs(1, {program + " 0F0@0+1 0B0@0 0S@0"}))), "");
  const std::vector<Diagnostic> found = Verify(Programs(1, {program + " 0F0@0+11 0B0@0 0S@0"}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].rule, "prediction-exists");
  // Also when more are made after a lookup among all of them.
  EXPECT_EQ(test::Texts(Verify(Programs(
                2, {program + " 0F0@0+1 0P@0+12 0P@0+13 0P@0+14 0P@0+15 0P@0+16 0P@0+17 0P@0+18 "
                              "0P@0+19 0P@0+20 0F1@0+12 0B0@0 0B1@0 0S@0"}))),
            "");
}

TEST(VerifyVersions, PredictionsOfOneStageAreNotThoseOfAnother) {
  const std::vector<Diagnostic> found =
      Verify(Programs(1, {"0 1: 0P@0+1 0F0@0+1 1F0@0+1 1B0@0 0B0@0 0S@0 1S@0"}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].message, "no P@0+1 of stage 1 before it on this rank");
}

}  // namespace

std::vector<VerifyCase> VersionCases() {
  std::vector<VerifyCase> cases = ReadCases();
  Append(cases, StepCases());
  Append(cases, ReplicaCases());
  Append(cases, CellCases());
  return cases;
}

}  // namespace stagecraft
