#include <string>

#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

TEST(CheckCommand, GivesAVerdictPerSendMode) {
  const Outcome outcome = Stagecraft("check 1f1b -p 4 -m 8");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "eager       ok\nrendezvous  ok\nblocking    ok\n");
  EXPECT_EQ(outcome.err, "");
}

TEST(CheckCommand, OnlyTheChosenSendModeDecides) {
  const std::string arguments = "check 1f1b -p 4 -m 8 --receive just-in-time";
  const std::string verdicts = "eager       ok\nrendezvous  ok\nblocking    1 error: progress\n";
  const Outcome eager = Stagecraft(arguments);
  EXPECT_EQ(eager.code, 0);
  EXPECT_EQ(eager.out, verdicts);
  EXPECT_NE(eager.err.find("warning: deadlock with blocking sends"), std::string::npos)
      << eager.err;
  const Outcome blocking = Stagecraft(arguments + " --send blocking");
  EXPECT_EQ(blocking.code, 1);
  EXPECT_EQ(blocking.out, verdicts);
  EXPECT_NE(blocking.err.find("error: deadlock with blocking sends"), std::string::npos)
      << blocking.err;
}

TEST(CheckCommand, ReportsEveryFaultOfABadSchedule) {
  WriteTestFile("bad.sched",
                "stagecraft schedule 1\n"
                "shape ranks 1 stages 1 microbatches 2\n"
                "place 0: 0\n"
                "rank 0 0B0@0 0F0@0 0F1@0 0S@0\n");
  const Outcome outcome = Stagecraft("check bad.sched");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out.find("ok"), std::string::npos) << outcome.out;
  // Backward before its forward, and micro-batch 1 has no backward.
  EXPECT_NE(outcome.err.find("0B0"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("(0F1@0): error: lacks its backward"), std::string::npos)
      << outcome.err;
}

TEST(CheckCommand, TextThatCannotBeParsedIsBadUsage) {
  WriteTestFile("broken.sched",
                "stagecraft schedule 1\n"
                "shape ranks 1 stages 1 microbatches 1\n"
                "place 0: 0\n"
                "rank 0 0F0@0 3X1\n");
  const Outcome outcome = Stagecraft("check broken.sched");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err.rfind("broken.sched:4:14: error: expected an op, got '3X1'", 0), 0U)
      << outcome.err;
  EXPECT_EQ(Stagecraft("check /no/such/file").code, 2);
  WriteTestFile("empty.sched", "");
  EXPECT_EQ(Stagecraft("check empty.sched").code, 2);
}

TEST(CheckCommand, LimitsNameTheStageTheFigureAndTheFlag) {
  // PipeDream on 4 ranks: D - r weight copies and activation sets, staleness D - 1 - r.
  const std::string arguments = "check pipedream -p 4 -m 16 ";
  EXPECT_EQ(Stagecraft(arguments + "--max-slots 4 --max-staleness 3 --max-activations 4").code, 0);
  const Outcome slots = Stagecraft(arguments + "--max-slots 3");
  EXPECT_EQ(slots.code, 1);
  EXPECT_EQ(slots.err, "stage 0: error: 4 weight copies; expected at most 3 (--max-slots)\n");
  const Outcome staleness = Stagecraft(arguments + "--max-staleness 1");
  EXPECT_EQ(staleness.code, 1);
  EXPECT_EQ(staleness.err,
            "stage 0: error: 3 updates missed; expected at most 1 (--max-staleness)\n"
            "stage 1: error: 2 updates missed; expected at most 1 (--max-staleness)\n");
  const Outcome sets = Stagecraft(arguments + "--max-activations 3");
  EXPECT_EQ(sets.code, 1);
  EXPECT_EQ(sets.err,
            "stage 0: error: 4 activation sets; expected at most 3 (--max-activations)\n");
}

TEST(CheckCommand, WarnsWhereABackwardReadsOtherWeights) {
  const Outcome outcome = Stagecraft("check async-1f1b -p 4 -m 16");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("warning:"), std::string::npos) << outcome.err;
  EXPECT_EQ(Stagecraft("check 1f1b").err, "");
}

TEST(CheckCommand, ReadsStandardInput) {
  const Outcome outcome = Shell("stagecraft generate gpipe | stagecraft check -");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST(CheckCommand, SizesAreForGeneratedSchedules) {
  ASSERT_EQ(Stagecraft("generate gpipe -o a.sched").code, 0);
  const Outcome outcome = Stagecraft("check a.sched -p 4");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err, "-p: error: is for schedules that are generated, but a.sched is a file\n");
}

}  // namespace
}  // namespace stagecraft
