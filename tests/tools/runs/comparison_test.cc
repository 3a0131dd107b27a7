#include "tools/runs/comparison.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

ComparisonRow Row(const std::string& approach, std::int32_t ranks, std::int32_t microbatches) {
  ComparisonRow row;
  row.approach = approach;
  row.is_file = approach.ends_with(".sched");
  row.shape = {ranks, ranks, microbatches};
  row.microbatch_size = 2;
  return row;
}

/// Approaches are generated for 4 ranks and 32 batches of 6 micro-batches.
Comparison Of(std::vector<ComparisonRow> rows) {
  Comparison comparison;
  comparison.settings.ranks = 4;
  comparison.settings.microbatches = 6;
  comparison.settings.batches = 32;
  comparison.rows = std::move(rows);
  return comparison;
}

std::vector<std::string> Faults(const Comparison& comparison) {
  std::vector<std::string> texts;
  for (const Diagnostic& fault : UnequalWork(comparison)) {
    texts.push_back(ToString(fault));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(UnequalWork, IsNoneForTheSameSamplesOnTheSameRanks) {
  EXPECT_EQ(Faults(Of({Row("1f1b", 4, 192), Row("a.sched", 4, 192)})), Texts{});
}

// The sequential baseline has one rank whatever -p is, by name and as a file.
TEST(UnequalWork, IsNoneForABaselineOnOneRank) {
  EXPECT_EQ(Faults(Of({Row("1f1b", 4, 192), Row("sequential", 1, 192), Row("one.sched", 1, 192)})),
            Texts{});
}

TEST(UnequalWork, IsNoneForBatchesThatAreNotSplit) {
  ComparisonRow whole = Row("pipedream", 4, 32);
  whole.microbatch_size = 12;
  EXPECT_EQ(Faults(Of({Row("gpipe", 4, 192), whole})), Texts{});
}

TEST(UnequalWork, SaysHowOftenAFileMustBeRepeated) {
  EXPECT_EQ(
      Faults(Of({Row("a.sched", 4, 6), Row("1f1b", 4, 192)})),
      (Texts{"a.sched: error: 12 samples on 4 ranks, beside 384 samples on 4 ranks of 1f1b: not "
             "the same work; expected --repeat 32, or --unequal to see both"}));
}

TEST(UnequalWork, SaysWhichRanksAndBatchesAFileIsFor) {
  EXPECT_EQ(
      Faults(Of({Row("1f1b", 4, 192), Row("a.sched", 3, 252)})),
      (Texts{"a.sched: error: 504 samples on 3 ranks, beside 384 samples on 4 ranks of 1f1b: not "
             "the same work; expected -p 3 -n 42, or --unequal to see both"}));
  EXPECT_EQ(
      Faults(Of({Row("1f1b", 4, 192), Row("a.sched", 4, 7)})),
      (Texts{"a.sched: error: 14 samples on 4 ranks, beside 384 samples on 4 ranks of 1f1b: not "
             "the same work; expected -n 1 -m 7, or --unequal to see both"}));
}

TEST(UnequalWork, IsThatOfForwardsBesideTraining) {
  ComparisonRow forwards = Row("a.sched", 4, 192);
  forwards.mode = Mode::kForward;
  EXPECT_EQ(Faults(Of({Row("1f1b", 4, 192), forwards})),
            (Texts{"a.sched: error: 384 samples, forwards only, on 4 ranks, beside 384 samples on "
                   "4 ranks of 1f1b: not the same work; expected the same of all, or --unequal to "
                   "see both"}));
}

// Costs of each stage make a model of 8 stages twice as large as one of 4.
TEST(UnequalWork, IsThatOfMoreStagesWhereCostsArePerStage) {
  ComparisonRow interleaved = Row("interleaved-1f1b", 4, 192);
  interleaved.shape.stages = 8;
  Comparison comparison = Of({Row("1f1b", 4, 192), interleaved});
  EXPECT_EQ(Faults(comparison), Texts{});
  comparison.settings.costs_per_stage = true;
  EXPECT_EQ(Faults(comparison),
            (Texts{"interleaved-1f1b: error: 8 stages, beside 4 of 1f1b: with costs per stage not "
                   "the same model; expected --costs-per rank, or --unequal to see both"}));
}

TEST(UnequalWork, OfFilesForOtherRanksHasNoFlagThatHelps) {
  Comparison comparison = Of({Row("a.sched", 4, 8), Row("b.sched", 2, 8)});
  comparison.settings.microbatches.reset();
  EXPECT_EQ(Faults(comparison),
            (Texts{"b.sched: error: 16 samples on 2 ranks, beside 16 samples on 4 ranks of "
                   "a.sched: not the same work; expected the same of all, or --unequal to see "
                   "both"}));
}

TEST(UnequalWork, OfTwoFilesIsSeenToo) {
  Comparison comparison = Of({Row("a.sched", 4, 6), Row("b.sched", 4, 12)});
  comparison.settings.microbatches.reset();
  comparison.settings.batches.reset();
  EXPECT_EQ(
      Faults(comparison),
      (Texts{"b.sched: error: 24 samples on 4 ranks, beside 12 samples on 4 ranks of a.sched: not "
             "the same work; expected the same of all, or --unequal to see both"}));
}

}  // namespace
}  // namespace stagecraft
