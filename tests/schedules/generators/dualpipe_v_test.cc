#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/schedule.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::MostSets;
using test::ProgramText;
using test::Texts;

TEST(DualPipeV, JoinsForwardsOfOneChunkWithBackwardsOfTheOther) {
  EXPECT_EQ(ProgramText(Make("dualpipe-v", {.ranks = 2, .microbatches = 4}), 1),
            "1F0@0 2F0@0 1F1@0 2F1@0 1F2@0 2B0@0 (2F2@0;1B0@0) (1F3@0;2B1@0) (2F3@0;1B1@0) 2B2@0 "
            "1B2@0 2I3@0 1I3@0 2W3@0 1W3@0 1S@0 2S@0");
}

TEST(DualPipeV, SeparateCellsAreTheSameOrder) {
  GeneratorOptions options{.ranks = 3, .microbatches = 7};
  Schedule joined = Make("dualpipe-v", options);
  options.cells = Cells::kSeparate;
  for (Program& program : joined.programs) {
    for (Op& op : program) {
      op.joined = false;
    }
  }
  EXPECT_EQ(joined, Make("dualpipe-v", options));
}

TEST(DualPipeV, HoldsOneChunkMoreThanZeroBubbleV) {
  for (std::int32_t p = 1; p <= 5; ++p) {
    const Schedule schedule =
        Make("dualpipe-v", {.ranks = p, .microbatches = 4 * p, .cells = Cells::kSeparate});
    for (std::int32_t rank = 0; rank < p; ++rank) {
      EXPECT_EQ(MostSets(schedule, rank), 2 * p + 1) << p << " " << rank;
    }
  }
}

TEST(DualPipeV, SaysWhatItNeeds) {
  EXPECT_EQ(Texts(Generate("dualpipe-v", {.ranks = 4, .microbatches = 7}).diagnostics),
            "dualpipe-v: error: 7 micro-batches on 4 ranks; expected `microbatches` of at least 2p "
            "= 8\n");
}

}  // namespace
}  // namespace stagecraft
