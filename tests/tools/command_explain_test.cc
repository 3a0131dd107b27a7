#include <string>

#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ExplainCommand, PrintsTheTextbookFormulaBesideOurFigure) {
  const Outcome outcome =
      Stagecraft("explain 1f1b -p 4 -m 8 --forward 1ms --backward 2ms --latency 0.1ms");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out, "8 micro-batches take 34.6 ms")) << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "says 33 ms: 1 x (8 + 4 - 1) x 3 ms")) << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "bubble 27.3 %")) << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "busiest rank: 24 ms")) << outcome.out;
}

TEST(ExplainCommand, CountsAFlushedBatchEach) {
  const Outcome flushed = Stagecraft("explain gpipe -p 4 -m 8 -n 3 --forward 1ms --backward 2ms");
  EXPECT_TRUE(Contains(flushed.out, "says 99 ms: 3 x (8 + 4 - 1) x 3 ms")) << flushed.out;
  const Outcome stream =
      Stagecraft("explain pipedream -p 4 -m 8 -n 3 --forward 1ms --backward 2ms");
  EXPECT_TRUE(Contains(stream.out, "says 81 ms: 1 x (24 + 4 - 1) x 3 ms")) << stream.out;
}

TEST(ExplainCommand, NamesTheSlowStageAndASavingThatWasSimulated) {
  // Stage 2 takes 30 ms per backward, the others 2 ms: all 8 stand on the critical path. 10 % less
  // is 8 * 3 ms off a makespan of 3 * 1 + 8 * 31 + 2 + 2 = 255 ms.
  const Outcome outcome =
      Stagecraft("explain 1f1b -p 4 -m 8 --forward 1ms --backward 2ms,2ms,30ms,2ms");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out, "what to fix first: B of stage 2 10 % faster: "))
      << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "B of stage 2              8  240 ms")) << outcome.out;
}

TEST(ExplainCommand, FindsTransfers) {
  const Outcome outcome = Stagecraft("explain 1f1b -p 4 -m 8 --forward 1ms --latency 50ms");
  EXPECT_TRUE(Contains(outcome.out, "what to fix first: all transfers 10 % faster")) << outcome.out;
}

TEST(ExplainCommand, SummarisesALongPath) {
  const Outcome outcome = Stagecraft("explain pipedream -p 4 -m 4000 --forward 1ms --backward 2ms");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_LT(outcome.out.size(), 5000U);
}

TEST(ExplainCommand, ARunThatTakesNoTimeHasNothingToFix) {
  const Outcome outcome = Stagecraft("explain 1f1b");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out, "nothing takes time")) << outcome.out;
}

TEST(ExplainCommand, HasNoFormulaForReplicatedStages) {
  const Outcome outcome =
      Stagecraft("explain pipedream -p 4 -m 12 --replicas 3,1 --forward 1ms --backward 2ms");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_FALSE(Contains(outcome.out, "formula")) << outcome.out;
}

}  // namespace
}  // namespace stagecraft
