#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "tests/schedules/verify_cases.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::ForwardPrograms;
using test::Programs;

/// The smallest training schedule: one rank, one stage, one micro-batch.
Schedule Smallest() {
  return Programs(1, {"0: 0F0@0 0B0@0 0S@0"});
}

Schedule With(Schedule schedule, const std::function<void(Schedule&)>& change) {
  change(schedule);
  return schedule;
}

std::vector<VerifyCase> ShapeCases() {
  return {
      {"shape", "AsManyProgramsAsRanks", With(Smallest(), [](Schedule& s) { s.shape.ranks = 2; }),
       "error: ranks 2, stages 1, microbatches 1, 1 placements and 1 programs; expected at least 1 "
       "of each and one placement and program per rank [shape]\n",
       Smallest()},
      {"shape", "AtLeastOneMicrobatch",
       With(Smallest(), [](Schedule& s) { s.shape.microbatches = 0; }),
       "error: ranks 1, stages 1, microbatches 0, 1 placements and 1 programs; expected at least 1 "
       "of each and one placement and program per rank [shape]\n",
       Smallest()},
      {"shape", "InProportionToTheOps",
       With(Smallest(),
            [](Schedule& s) {
              s.shape = {1, 2147483647, 2147483647};
            }),
       "error: 2147483647 stages and 2147483647 micro-batches need a forward each, but the "
       "programs have far fewer ops [shape]\n",
       Smallest()},
      {"placed", "StagesInRange",
       With(Smallest(),
            [](Schedule& s) {
              s.placement[0] = {0, 1};
            }),
       "rank 0: error: places stage 1; expected 0 to 0 [placed]\n", Smallest()},
      {"placed", "NotTwiceOnARank",
       With(Smallest(),
            [](Schedule& s) {
              s.placement[0] = {0, 0};
            }),
       "rank 0: error: places stage 0 twice [placed]\n", Smallest()},
      {"placed", "EveryStageSomewhere", With(Smallest(), [](Schedule& s) { s.shape.stages = 2; }),
       "stage 1: error: stands on no rank [placed]\n", Smallest()},
      {"in-range", "Microbatch", Programs(1, {"0: 0F1@0 0B0@0 0S@0"}),
       "rank 0, op 0 (0F1@0): error: expected stages 0 to 0, micro-batches 0 to 0 and versions "
       "from 0 [in-range]\n"
       "  rank 0 | 0F1@0 0B0@0 0S@0\n"
       "           ^\n",
       Smallest()},
      {"in-range", "Stage", Programs(1, {"0: 0F0@0 7B0@0 0S@0"}),
       "rank 0, op 1 (7B0@0): error: expected stages 0 to 0, micro-batches 0 to 0 and versions "
       "from 0 [in-range]\n"
       "  rank 0 | 0F0@0 7B0@0 0S@0\n"
       "                 ^\n",
       Smallest()},
      {"in-range", "Version", With(Smallest(), [](Schedule& s) { s.programs[0][2].version = -1; }),
       "rank 0, op 2 (0S@-1): error: expected stages 0 to 0, micro-batches 0 to 0 and versions "
       "from 0 [in-range]\n"
       "  rank 0 | 0F0@0 0B0@0 0S@-1\n"
       "                       ^\n",
       Smallest()},
  };
}

std::vector<VerifyCase> PairCases() {
  return {
      {"forward-once", "Missing", Programs(1, {"0: 0B0@0 0S@0"}),
       "rank 0, op 0 (0B0@0): error: lacks its forward; expected one F [forward-once]\n"
       "  rank 0 | 0B0@0 0S@0\n"
       "           ^\n",
       Smallest()},
      {"forward-once", "Twice", Programs(1, {"0: 0F0@0 0F0@0 0B0@0 0S@0"}),
       "rank 0, op 1 (0F0@0): error: a second one; the first is 0F0@0 on rank 0, op 0 "
       "[forward-once]\n"
       "  rank 0 | 0F0@0 0F0@0 0B0@0 0S@0\n"
       "                 ^\n",
       Smallest()},
      {"forward-once", "RecomputedTwice", Programs(1, {"0: 0F0@0 0R0@0 0R0@0 0B0@0 0S@0"}),
       "rank 0, op 2 (0R0@0): error: a second one; the first is 0R0@0 on rank 0, op 1 "
       "[forward-once]\n"
       "  rank 0 | 0F0@0 0R0@0 0R0@0 0B0@0 0S@0\n"
       "                       ^\n",
       Programs(1, {"0: 0F0@0 0R0@0 0B0@0 0S@0"})},
      {"backward-once", "Missing", Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0S@0"}),
       "rank 0, op 1 (0F1@0): error: lacks its backward; expected B, or I and W "
       "[backward-once]\n"
       "  rank 0 | 0F0@0 0F1@0 0B0@0 0S@0\n"
       "                 ^\n",
       Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0B1@0 0S@0"})},
      {"backward-once", "IWithoutW", Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0I1@0 0S@0"}),
       "rank 0, op 3 (0I1@0): error: an I without its W [backward-once]\n"
       "  rank 0 | 0F0@0 0F1@0 0B0@0 0I1@0 0S@0\n"
       "                             ^\n",
       Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0I1@0 0W1@0 0S@0"})},
      {"backward-once", "WWithoutI", Programs(1, {"0: 0F0@0 0W0@0 0S@0"}),
       "rank 0, op 1 (0W0@0): error: lacks the I before its W [backward-once]\n"
       "  rank 0 | 0F0@0 0W0@0 0S@0\n"
       "                 ^\n",
       Programs(1, {"0: 0F0@0 0I0@0 0W0@0 0S@0"})},
      {"backward-once", "BesideAFullBackward", Programs(1, {"0: 0F0@0 0B0@0 0W0@0 0S@0"}),
       "rank 0, op 2 (0W0@0): error: beside a full backward, 0B0@0 on rank 0 [backward-once]\n"
       "  rank 0 | 0F0@0 0B0@0 0W0@0 0S@0\n"
       "                       ^\n",
       Smallest()},
      {"backward-once", "FullAndSplit", Programs(1, {"0: 0F0@0 0B0@0 0I0@0 0S@0"}),
       "rank 0, op 2 (0I0@0): error: a second one; the first is 0B0@0 on rank 0, op 1 "
       "[backward-once]\n"
       "  rank 0 | 0F0@0 0B0@0 0I0@0 0S@0\n"
       "                       ^\n",
       Smallest()},
  };
}

std::vector<VerifyCase> OrderCases() {
  return {
      {"backward-once", "InForwardMode", ForwardPrograms(1, {"0: 0F0@0 0R0@0 0B0@0 0S@0"}),
       "rank 0, op 1 (0R0@0): error: in forward mode; expected only F [backward-once]\n"
       "  rank 0 | 0F0@0 0R0@0 0B0@0 0S@0\n"
       "                 ^\n"
       "rank 0, op 2 (0B0@0): error: in forward mode; expected only F [backward-once]\n"
       "rank 0, op 3 (0S@0): error: in forward mode; expected only F [backward-once]\n",
       ForwardPrograms(1, {"0: 0F0@0"})},
      {"same-rank", "ForwardAndBackwardApart",
       Programs(1, {"0: 0F0@0 0A@0 0S@0", "0: 0B0@0 0A@0 0S@0"}),
       "rank 1, op 0 (0B0@0): error: on rank 1, but 0F0@0 on rank 0 [same-rank]\n"
       "  rank 1 | 0B0@0 0A@0 0S@0\n"
       "           ^\n",
       Programs(1, {"0: 0F0@0 0B0@0 0A@0 0S@0", "0: 0A@0 0S@0"})},
      {"forward-first", "BackwardBeforeItsForward", Programs(1, {"0: 0B0@0 0F0@0 0S@0"}),
       "rank 0, op 0 (0B0@0): error: backward before its forward; 0F0@0 is op 1 on this rank "
       "[forward-first]\n"
       "  rank 0 | 0B0@0 0F0@0 0S@0\n"
       "           ^\n",
       Smallest()},
      {"forward-first", "RecomputeBeforeItsForward",
       Programs(2, {"0: 0F0@0 0R1@0 0F1@0 0B0@0 0B1@0 0S@0"}),
       "rank 0, op 1 (0R1@0): error: recompute before its forward; 0F1@0 is op 2 on this rank "
       "[forward-first]\n"
       "  rank 0 | 0F0@0 0R1@0 0F1@0 0B0@0 0B1@0 0S@0\n"
       "                 ^\n"
       "rank 0, op 1 (0R1@0): error: deadlock with eager sends: waits for 0F1@0 on rank 0, which "
       "stands behind 0R1@0 [progress]\n"
       "  rank 0 | 0F0@0 0R1@0 0F1@0 0B0@0 0B1@0 0S@0\n"
       "                 ^\n",
       Programs(2, {"0: 0F0@0 0F1@0 0R1@0 0B0@0 0B1@0 0S@0"})},
      {"forward-first", "BackwardBeforeItsRecompute", Programs(1, {"0: 0F0@0 0B0@0 0R0@0 0S@0"}),
       "rank 0, op 1 (0B0@0): error: backward before its recompute; 0R0@0 is op 2 on this rank "
       "[forward-first]\n"
       "  rank 0 | 0F0@0 0B0@0 0R0@0 0S@0\n"
       "                 ^\n",
       Programs(1, {"0: 0F0@0 0R0@0 0B0@0 0S@0"})},
      {"forward-first", "WeightBeforeInputGradient",
       Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0W1@0 0I1@0 0S@0"}),
       "rank 0, op 3 (0W1@0): error: weight gradient before its input gradient; 0I1@0 is op 4 on "
       "this rank [forward-first]\n"
       "  rank 0 | 0F0@0 0F1@0 0B0@0 0W1@0 0I1@0 0S@0\n"
       "                             ^\n"
       "rank 0, op 3 (0W1@0): error: deadlock with eager sends: waits for 0I1@0 on rank 0, which "
       "stands behind 0W1@0 [progress]\n"
       "  rank 0 | 0F0@0 0F1@0 0B0@0 0W1@0 0I1@0 0S@0\n"
       "                             ^\n",
       Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0I1@0 0W1@0 0S@0"})},
      {"recompute-version", "ReadsOtherWeights",
       Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0S@0 0R1@1 0B1@0 0S@1"}),
       "rank 0, op 4 (0R1@1): error: reads other weights than its forward, 0F1@0 "
       "[recompute-version]\n"
       "  rank 0 | 0F0@0 0F1@0 0B0@0 0S@0 0R1@1 0B1@0 0S@1\n"
       "                                  ^\n",
       Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0S@0 0R1@0 0B1@0 0S@1"})},
  };
}

void Append(std::vector<VerifyCase>& cases, const std::vector<VerifyCase>& more) {
  cases.insert(cases.end(), more.begin(), more.end());
}

TEST(VerifyPrograms, EveryCounterexampleIsReported) {
  ExpectCases(ProgramCases());
}

TEST(VerifyPrograms, UnusedFieldsMustBeZero) {
  const std::vector<std::function<void(Op&)>> changes = {
      [](Op& step) { step.microbatch = 1; },
      [](Op& step) { step.microbatch = -1; },
      [](Op& step) { step.horizon = 1; },
      [](Op& step) { step = {.kind = OpKind::kSendForward, .version = 1}; },
      [](Op& step) { step = {.kind = OpKind::kRecvBackward, .horizon = -1}; },
      [](Op& step) { step.stage = -1; },
      [](Op& step) { step.stage = 2147483647; },
  };
  for (const std::function<void(Op&)>& change : changes) {
    Schedule schedule = Smallest();
    change(schedule.programs[0][2]);
    const std::vector<Diagnostic> found = Verify(schedule);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].rule, "in-range");
    EXPECT_EQ(found[0].op, (OpRef{0, 2}));
  }
}

}  // namespace

std::vector<VerifyCase> ProgramCases() {
  std::vector<VerifyCase> cases = ShapeCases();
  Append(cases, PairCases());
  Append(cases, OrderCases());
  return cases;
}

}  // namespace stagecraft
