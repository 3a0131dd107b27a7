#include <cstdint>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::MostSets;
using test::ProgramText;
using test::Texts;

TEST(DualPipe, RunsHalfOfTheMicrobatchesFromEitherEnd) {
  const Schedule schedule = Make("dualpipe", {.ranks = 4, .microbatches = 8});
  EXPECT_EQ(ProgramText(schedule, 1),
            "1F0@0 2F4@0 1F1@0 2F5@0 1F2@0 2B4@0 (2F6@0;1B0@0) (1F3@0;2B5@0) (2F7@0;1B1@0) 2B6@0 "
            "1B2@0 2I7@0 1I3@0 2W7@0 1W3@0 1A@0 1S@0 2A@0 2S@0");
  // The other rank that holds them does the same for the other half, and reduces in the same order.
  EXPECT_EQ(ProgramText(schedule, 2),
            "1F4@0 2F0@0 1F5@0 2F1@0 1F6@0 2B0@0 (2F2@0;1B4@0) (1F7@0;2B1@0) (2F3@0;1B5@0) 2B2@0 "
            "1B6@0 2I3@0 1I7@0 2W3@0 1W7@0 1A@0 1S@0 2A@0 2S@0");
}

TEST(DualPipe, HoldsOneSetMoreThanTheRanks) {
  for (std::int32_t p = 2; p <= 8; p += 2) {
    const Schedule schedule =
        Make("dualpipe", {.ranks = p, .microbatches = 4 * p, .cells = Cells::kSeparate});
    for (std::int32_t rank = 0; rank < p; ++rank) {
      EXPECT_EQ(MostSets(schedule, rank), p + 1) << p << " " << rank;
    }
  }
}

TEST(DualPipe, SaysWhatItNeeds) {
  const auto faults = [](std::int32_t p, std::int32_t m) {
    return Texts(Generate("dualpipe", {.ranks = p, .microbatches = m}).diagnostics);
  };
  EXPECT_EQ(faults(3, 12),
            "dualpipe: error: 3 ranks; expected an even `ranks`, half for each direction\n");
  EXPECT_EQ(faults(4, 9),
            "dualpipe: error: 9 micro-batches on 4 ranks; expected an even `microbatches` of at "
            "least 2p = 8\n");
  EXPECT_EQ(faults(4, 6),
            "dualpipe: error: 6 micro-batches on 4 ranks; expected an even `microbatches` of at "
            "least 2p = 8\n");
}

}  // namespace
}  // namespace stagecraft
