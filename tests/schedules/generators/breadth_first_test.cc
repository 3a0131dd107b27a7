#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::List;
using test::Make;
using test::ProgramText;

TEST(BreadthFirst, FinishesAStageBeforeTheNext) {
  EXPECT_EQ(ProgramText(Make("breadth-first", {.ranks = 2, .microbatches = 2}), 1),
            "1F0@0 1F1@0 3F0@0 3F1@0 3B0@0 3B1@0 1B0@0 1B1@0 1S@0 3S@0");
}

TEST(BreadthFirst, OfOneStagePerRankIsGPipe) {
  EXPECT_EQ(Make("breadth-first", {.ranks = 3, .microbatches = 4, .batches = 2, .chunks = 1}),
            Make("gpipe", {.ranks = 3, .microbatches = 4, .batches = 2}));
}

TEST(BreadthFirst, HoldsAllMicrobatches) {
  EXPECT_EQ(
      List(PeakActivationSets(Make("breadth-first", {.ranks = 2, .microbatches = 5, .chunks = 3}))),
      "5,5,5,5,5,5");
}

}  // namespace
}  // namespace stagecraft
