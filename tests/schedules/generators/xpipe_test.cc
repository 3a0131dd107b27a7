#include <iostream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::List;
using test::Make;

/// Horizons of the first micro-batch of the last update, per stage.
std::string Bellwether(std::string_view name, const GeneratorOptions& options, OpKind kind) {
  const Schedule schedule = Make(name, options);
  const int first = schedule.shape.microbatches - options.update_every.value_or(1);
  std::vector<std::int32_t> horizons;
  horizons.reserve(static_cast<std::size_t>(schedule.shape.stages));
  for (int stage = 0; stage < schedule.shape.stages; ++stage) {
    horizons.push_back(schedule.At(test::FindOp(schedule, kind, stage, first)).horizon);
  }
  return List(horizons);
}

GeneratorOptions FourStages(std::int32_t every, HorizonRule rule, Rounding rounding) {
  return {
      .ranks = 4, .microbatches = 32, .update_every = every, .horizon = rule, .rounding = rounding};
}

struct Row {
  std::int32_t every;
  std::string exact;      ///< Distance to the stage's own backward: ceil((D-1-r) / T).
  std::string floor;      ///< round((D + T - r/2 - 2) / T), rounded down.
  std::string half_even;  ///< The same, rounded half to even.
};

TEST(XPipe, HorizonsOfFourStages) {
  // E.g. T = 2, r = 1: (4 + 2 - 0.5 - 2) / 2 = 1.75, down to 1, to the nearest 2;
  // T = 2, r = 2: (4 + 2 - 1 - 2) / 2 = 1.5, down to 1, half to even 2.
  const std::vector<Row> rows = {{1, "3,2,1,0", "3,2,2,1", "3,2,2,2"},
                                 {2, "2,1,1,0", "2,1,1,1", "2,2,2,1"},
                                 {4, "1,1,1,0", "1,1,1,1", "2,1,1,1"},
                                 {8, "1,1,1,0", "1,1,1,1", "1,1,1,1"}};
  for (const Row& row : rows) {
    const std::string floor = Bellwether(
        "xpipe", FourStages(row.every, HorizonRule::kSteady, Rounding::kFloor), OpKind::kForward);
    const std::string half_even =
        Bellwether("xpipe", FourStages(row.every, HorizonRule::kSteady, Rounding::kHalfEven),
                   OpKind::kForward);
    const std::string exact =
        Bellwether("pipeoptim", FourStages(row.every, HorizonRule::kExact, Rounding::kFloor),
                   OpKind::kForward);
    const std::string backward = Bellwether(
        "xpipe", FourStages(row.every, HorizonRule::kSteady, Rounding::kFloor), OpKind::kBackward);
    std::cout << "T = " << row.every << ": exact " << exact << "  floor " << floor << "  half-even "
              << half_even << "  backward " << backward << '\n';
    EXPECT_EQ(exact, row.exact);
    EXPECT_EQ(floor, row.floor);
    EXPECT_EQ(half_even, row.half_even);
    EXPECT_EQ(backward, "0,0,1,1") << "round((T + floor(r/2) - 1) / T), rounded down";
  }
}

TEST(XPipe, BackwardHorizonsRoundHalfToEvenToo) {
  // T = 2: 0.5, 0.5, 1, 1 -> 0,0,1,1. T = 4: 0.75, 0.75, 1, 1 -> 1,1,1,1.
  EXPECT_EQ(Bellwether("xpipe", FourStages(2, HorizonRule::kSteady, Rounding::kHalfEven),
                       OpKind::kBackward),
            "0,0,1,1");
  EXPECT_EQ(Bellwether("xpipe", FourStages(4, HorizonRule::kSteady, Rounding::kHalfEven),
                       OpKind::kBackward),
            "1,1,1,1");
}

TEST(XPipe, TheExactRuleAimsWhereTheBackwardAims) {
  // floor(q / T) + s_B(r): with T = 1 SpecTrain's horizons; with T = 2 the distance plus s_B.
  EXPECT_EQ(
      Bellwether("xpipe", FourStages(1, HorizonRule::kExact, Rounding::kFloor), OpKind::kForward),
      "3,2,2,1");
  EXPECT_EQ(
      Bellwether("xpipe", FourStages(2, HorizonRule::kExact, Rounding::kFloor), OpKind::kForward),
      "2,1,2,1");
}

TEST(XPipe, WithOneMicrobatchPerUpdateIsSpecTrain) {
  for (const HorizonRule rule : {HorizonRule::kExact, HorizonRule::kSteady}) {
    EXPECT_EQ(Make("xpipe", {.ranks = 5, .microbatches = 12, .horizon = rule}),
              Make("spectrain", {.ranks = 5, .microbatches = 12, .horizon = rule}));
  }
}

TEST(XPipe, TheFirstMicrobatchOfAnUpdatePredictsForAll) {
  const Schedule schedule = Make("xpipe", {.ranks = 4, .microbatches = 24, .update_every = 4});
  for (int stage = 0; stage < 4; ++stage) {
    for (const OpKind kind : {OpKind::kForward, OpKind::kBackward}) {
      for (int q = 0; q < 24; ++q) {
        const Op op = schedule.At(test::FindOp(schedule, kind, stage, q));
        const Op first = schedule.At(test::FindOp(schedule, kind, stage, q - q % 4));
        EXPECT_EQ(op.version, first.version) << ToString(op);
        EXPECT_EQ(op.horizon, first.horizon) << ToString(op);
      }
    }
  }
}

TEST(XPipe, MakesAtMostTwoPredictionsPerUpdate) {
  const Schedule schedule = Make("xpipe", {.ranks = 3, .microbatches = 8, .update_every = 4});
  // Stage 0: q = 4 predicts while version 0 is the newest; q = 5 to 7 reuse it when it is not.
  EXPECT_EQ(test::ProgramText(schedule, 0),
            "0F0@0 0F1@0 0F2@0 0B0@0 0F3@0 0B1@0 0P@0+1 0F4@0+1 0B2@0 0F5@0+1 0B3@0 0S@0 0F6@0+1 "
            "0B4@1 0F7@0+1 0B5@1 0B6@1 0B7@1 0S@1");
  // Stage 2, s_B = 1: the forwards and backwards of an update share one prediction.
  EXPECT_EQ(test::ProgramText(schedule, 2),
            "2P@0+1 2F0@0+1 2B0@0+1 2F1@0+1 2B1@0+1 2F2@0+1 2B2@0+1 2F3@0+1 2B3@0+1 2S@0 2P@1+1 "
            "2F4@1+1 2B4@1+1 2F5@1+1 2B5@1+1 2F6@1+1 2B6@1+1 2F7@1+1 2B7@1+1 2S@1");
}

}  // namespace
}  // namespace stagecraft
