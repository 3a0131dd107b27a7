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
  // Stage 2 takes 30 ms per backward, the others 2 ms: all 8 stand on the critical path. Before the
  // first of them 4 F and the B of stage 3, 6 ms; between them 6 F, the first two being over by
  // then; behind them 2 B: 6 + 8 * 30 + 6 + 4 = 256 ms. 10 % less is 8 * 3 ms off.
  const Outcome outcome =
      Stagecraft("explain 1f1b -p 4 -m 8 --forward 1ms --backward 2ms,2ms,30ms,2ms");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(
      Contains(outcome.out,
               "what to fix first: B of stage 2, 10 % less: 256 ms -> 232 ms, 9.38 % shorter\n"))
      << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "B of stage 2              8  240 ms")) << outcome.out;
}

TEST(ExplainCommand, FindsTransfers) {
  const Outcome outcome = Stagecraft("explain 1f1b -p 4 -m 8 --forward 1ms --latency 50ms");
  EXPECT_TRUE(Contains(outcome.out, "what to fix first: latency, 10 % less: ")) << outcome.out;
}

// Of all single costs, the one that helps most, though others have larger shares of the critical
// path: I of stage 3 makes it 667 ms, by hand with 27 ms in place of 30.
TEST(ExplainCommand, NamesTheBestOfAllSingleCosts) {
  const std::string costs =
      " zb-v -p 2 -m 4 --forward 24ms --backward-weight 33ms,24ms,33ms,24ms --backward-input "
      "32ms,26ms,29ms,";
  const Outcome outcome = Stagecraft("explain" + costs + "30ms");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out,
                       "what to fix first: I of stage 3, 10 % less: 671 ms -> 667 ms, 0.60 % "
                       "shorter\n"))
      << outcome.out;
  EXPECT_TRUE(Contains(Stagecraft("simulate" + costs + "27ms").out, "makespan    667 ms\n"));
}

// 104 ms, most of them in cells of 2.5 ms. The best single cost is that of the cells of stage 2.
TEST(ExplainCommand, BooksJoinedCellsAsCells) {
  const Outcome outcome =
      Stagecraft("explain dualpipe -p 4 -m 40 --forward 1ms --backward 2ms --joined 2.5ms");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out,
                       "what to fix first: cell of stage 2, 10 % less: 104 ms -> "
                       "103.5 ms, 0.48 % shorter\n"))
      << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "\ncell of stage 2 ")) << outcome.out;
}

// Both ranks do the same and wait for each other: of equal stages none is better than the other.
TEST(ExplainCommand, NamesExactTiesTogether) {
  const Outcome outcome =
      Stagecraft("explain data-parallel -p 3 -m 3 --forward 1ms --backward 1ms");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out,
                       "what to fix first: F of stage 0 or B of stage 0, any one of "
                       "them 10 % better: 2 ms -> 1.9 ms, 5.00 % shorter\n"))
      << outcome.out;
  EXPECT_TRUE(Contains(outcome.out,
                       "which rank to speed up first: no single rank makes the run "
                       "shorter\n"))
      << outcome.out;
}

TEST(ExplainCommand, TriesLatencyBandwidthAndRanks) {
  const Outcome outcome = Stagecraft(
      "explain 1f1b -p 2 -m 1 --forward 1ms --backward 2ms --latency 1ms --boundary 11MB "
      "--bandwidth 11GB/s");
  ASSERT_EQ(outcome.code, 0) << outcome.err;

  // 2 transfers of 1 + 1 ms and 2 (1 + 2) ms of ops: 10 ms. B's tenth is 0.2 ms and so are 2
  // latencies'; bandwidth takes 2 x 1 ms to 2 x 1 / 1.1 ms.
  EXPECT_TRUE(Contains(outcome.out,
                       "what to fix first: B of stages 0, 1 or latency, any one of them 10 % "
                       "better: 10 ms -> 9.8 ms, 2.00 % shorter\n"
                       "  then: bandwidth, 10 % more: 10 ms -> 9.818 ms, 1.82 % shorter\n"))
      << outcome.out;

  EXPECT_TRUE(Contains(outcome.out,
                       "which rank to speed up first: speed of ranks 0, 1, any one of "
                       "them 10 % better: 10 ms -> 9.727 ms, 2.73 % shorter\n"))
      << outcome.out;
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
